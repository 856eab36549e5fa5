import type { EntryInfo } from '../beat/entry-info.js'
import { UsageError } from '../lock/error.js'
import { printable } from '../lock/printable.js'
import type { CallOptions } from '../task-base/call.js'
import type { Entry } from '../task-base/entry.js'
import type { CallOnce } from '../task-base/once.js'
import { EXIT, type ExitCode } from './exit.js'
import { readArgs, readHeaderFlag, readKwargs } from './json-flag.js'
import { jsonText, print, say } from './print.js'
import type { EntryFlags, ScheduleFlags } from './schedule-flags.js'
import { noEntry, withTimetable } from './schedule-target.js'
import { entryText } from './schedule-view.js'

export async function add(name: string, flags: EntryFlags): Promise<ExitCode> {
  const { task, schedule } = flags
  if (task === undefined) throw new UsageError('schedule add needs --task, the name of the task to run.')
  if (schedule === undefined) throw new UsageError(`schedule add needs --schedule, such as '5m' or '0 3 * * *'.`)
  return withTimetable(flags, async (table) => tell(await table.add(name, entryFrom(flags) as Entry), flags), 'make')
}

export async function change(name: string, flags: EntryFlags): Promise<ExitCode> {
  const fields = entryFrom(flags)
  if (Object.keys(fields).length === 0)
    throw new UsageError('schedule change needs what to change, such as --schedule 10m.')
  return withTimetable(flags, async (table) => {
    const info = await table.change(name, fields)
    return info ? tell(info, flags) : noEntry(name, flags)
  })
}

async function tell(info: EntryInfo, { json }: ScheduleFlags): Promise<ExitCode> {
  await print(json ? `${jsonText(info, 2)}\n` : entryText(info))
  for (const warning of [...info.warnings, ...noSlot(info)]) say(warning)
  return EXIT.done
}

/** An instant that has passed, most likely. */
function noSlot({ name, schedule, state, next, unreadable }: EntryInfo): string[] {
  if (state !== 'active' || next !== null || unreadable !== null) return []
  return [`warning: no slot of ${printable(name)} is to come: '${printable(schedule)}' has none after now.`]
}

/** Texts are judged where the entry is read, with a sentence about entry, value and cure. */
function entryFrom(flags: EntryFlags): Partial<Entry> {
  const { task, schedule, timezone, catchUp, catchUpWindow, jitter, startsAt, endsAt, pauseOnFailure, external } = flags
  const texts = { task, schedule, timezone, catchUp, catchUpWindow, jitter, startsAt, endsAt, pauseOnFailure, external }
  const numbers = {
    catchUpLimit: numberOf('--catch-up-limit', flags.catchUpLimit),
    maxRuns: numberOf('--max-runs', flags.maxRuns),
  }
  const once = given<CallOnce>({ overlap: flags.overlap, timeout: flags.timeout })
  const { queue, expires } = flags
  const headers = readHeaderFlag(flags.headers)
  const options = given<CallOptions>({ queue, expires, headers, priority: numberOf('--priority', flags.priority) })
  const args = { args: readArgs(flags.args), kwargs: readKwargs(flags.kwargs) }
  return given<Entry>({ ...texts, ...numbers, ...args, once: whole(once), options: whole(options) })
}

function given<T>(fields: Record<string, unknown>): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>
}

function whole<T extends object>(fields: T): T | undefined {
  return Object.keys(fields).length === 0 ? undefined : fields
}

function numberOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d+$/.test(text)) return Number(text)
  throw new UsageError(`${flag} must be a whole number, got '${text}'.`)
}
