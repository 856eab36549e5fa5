import { type RunTimeTable, timetable } from '../beat/run-time.js'
import { UsageError } from '../lock/error.js'
import { printable } from '../lock/printable.js'
import { EXIT, type ExitCode } from './exit.js'
import { say } from './print.js'
import type { ScheduleFlags } from './schedule-flags.js'
import { type Target, withTarget } from './target.js'

/** Opens the timetable of one app and closes it, however `act` ends. @throws UsageError */
export async function withTimetable<T>(
  flags: ScheduleFlags,
  act: (table: RunTimeTable, target: Target) => Promise<T>,
): Promise<T> {
  return withTarget(flags, 'schedule', async (target) => {
    if (target.scope === 'server') throw new UsageError('schedule needs the app: -A ./app.js, or --app NAME.')
    return act(timetable(target.app), target)
  })
}

export function noEntry(name: string): ExitCode {
  say(`there is no entry '${printable(name)}'; schedule list shows them.`)
  return EXIT.nothing
}
