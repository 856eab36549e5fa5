import { existsSync } from 'node:fs'
import { type RunTimeTable, timetable } from '../beat/run-time.js'
import { readFileUrl } from '../connect.js'
import { UsageError } from '../lock/error.js'
import { printable } from '../lock/printable.js'
import { EXIT, type ExitCode } from './exit.js'
import { jsonText, print, say } from './print.js'
import type { ScheduleFlags } from './schedule-flags.js'
import { type Target, withTarget } from './target.js'

/**
 * Opens the timetable of one app and closes it, however `act` ends. A file that is missing is made for a first entry only.
 *
 * @throws UsageError
 */
export async function withTimetable<T>(
  flags: ScheduleFlags,
  act: (table: RunTimeTable, target: Target) => Promise<T>,
  missing: 'refuse' | 'make' = 'refuse',
): Promise<T> {
  const file = readFileUrl(flags.store)
  if (file !== undefined && missing === 'refuse' && !existsSync(file))
    throw new UsageError(
      `--store: there is no timetable at file:${printable(file)}; name the file of beat --store, or make one with schedule add.`,
    )
  return withTarget(flags, 'schedule', async (target) => {
    if (target.scope === 'server') throw new UsageError('schedule needs the app: -A ./app.js, or --app NAME.')
    return act(timetable(target.app), target)
  })
}

export async function noEntry(name: string, { json }: ScheduleFlags): Promise<ExitCode> {
  const message = `there is no entry '${printable(name)}'; schedule list shows them.`
  say(message)
  if (json) await print(`${jsonText({ name, error: { message } })}\n`)
  return EXIT.nothing
}
