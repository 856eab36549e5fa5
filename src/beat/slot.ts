import { createHash } from 'node:crypto'
import { UsageError } from '../lock/error.js'
import type { Schedule } from '../task-base/schedule.js'

/** When an entry is due: its rule, and what bounds or delays it. All instants are epoch ms. */
export interface Timetable {
  /** The entry's name. */
  readonly name: string
  readonly schedule: Schedule
  /** IANA name. */
  readonly zone: string
  /** The first instant at which a slot may lie. Default: none is too early. */
  readonly startsAt?: number
  /** The first instant at which none may lie any more. Default: never. */
  readonly endsAt?: number
  /** A slot goes out up to this much after its nominal time. Default 0. */
  readonly jitterMs?: number
}

/**
 * The slot after `after`, between start and end. @throws UsageError for a schedule that throws, or answers no later whole
 * number: it would be asked for ever.
 */
export function nextSlot(entry: Timetable, after: number): number | undefined {
  const { startsAt = Number.NEGATIVE_INFINITY, endsAt = Number.POSITIVE_INFINITY } = entry
  const from = Math.max(after, startsAt - 1)
  const next = ask(entry, from)
  if (next === undefined) return undefined
  if (Number.isSafeInteger(next) && next > from) return next < endsAt ? next : undefined
  throw new UsageError(
    `the schedule of entry ${entry.name} answered ${next} for next(${from}): write one that answers a later whole ` +
      'number of epoch ms, or undefined when there is none.',
  )
}

function ask({ name, schedule, zone }: Timetable, from: number): number | undefined {
  try {
    return schedule.next(from, zone)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new UsageError(`the schedule of entry ${name} failed at next(${from}): ${why}`, { cause })
  }
}

/**
 * When a slot goes out: its nominal time, plus a share of `jitterMs` that entry and slot pick, the same on every host.
 * Always before the next slot, so that slots stay in order.
 */
export function dueAt(entry: Timetable, nominal: number): number {
  const { jitterMs = 0 } = entry
  if (jitterMs === 0) return nominal
  const gapMs = (nextSlot(entry, nominal) ?? Number.POSITIVE_INFINITY) - nominal
  return nominal + Math.floor(share(entry.name, nominal) * Math.min(jitterMs, gapMs))
}

/** In [0, 1), spread evenly over names and slots. */
function share(name: string, nominal: number): number {
  const digest = createHash('sha256').update(`${name}\0${nominal}`).digest()
  return digest.readUIntBE(0, 6) / 2 ** 48
}
