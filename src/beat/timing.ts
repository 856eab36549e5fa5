import { formatDuration, parseDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import { suggest } from '../lock/suggest.js'
import type { Entry, EntryTiming } from '../task-base/entry.js'
import type { Schedule } from '../task-base/schedule.js'
import { DEFAULT_DST } from './calendar.js'
import { isCalendar } from './calendar-schedule.js'
import { isGrid } from './every.js'
import { readInstant } from './instant.js'
import { CATCH_UP_LATEST, type CatchUp } from './misfire.js'
import { parseSchedule } from './schedule-text.js'
import { checkZone } from './zone.js'

/** An entry's options about time, read and checked. */
export interface Timing {
  readonly schedule: Schedule
  /** IANA name. */
  readonly zone: string
  readonly catchUp: CatchUp
  readonly jitterMs: number
  /** Epoch ms; minus infinity for none. */
  readonly startsAt: number
  /** Epoch ms; infinity for none. */
  readonly endsAt: number
  /** Null: without end. */
  readonly maxRuns: number | null
}

/** `catchUp: 'none'` makes nothing up, but a beat that took over from a dead one is seconds late. */
const ON_TIME_MS = 30_000
const CATCH_UP_LIMIT = 100
/** Planning a slot costs as many questions to the schedule. */
const LARGEST_CATCH_UP_LIMIT = 1_000

/** What an entry says about time; `zone` is the app's. @throws UsageError that names entry, value and cure. */
export function readTiming(name: string, entry: Pick<Entry, 'schedule'> & EntryTiming, zone: string): Timing {
  const schedule = withDst(name, entry, readSchedule(name, entry.schedule))
  const startsAt = instantOf(name, 'startsAt', entry.startsAt) ?? Number.NEGATIVE_INFINITY
  const endsAt = instantOf(name, 'endsAt', entry.endsAt) ?? Number.POSITIVE_INFINITY
  if (startsAt >= endsAt) throw new UsageError(`beat entry '${name}' ends before it starts: set endsAt after startsAt.`)
  return {
    schedule,
    zone: entry.timezone === undefined ? zone : checkZone(entry.timezone, `timezone of entry ${name}`),
    catchUp: readCatchUp(name, entry),
    jitterMs: readJitter(name, entry, schedule),
    startsAt,
    endsAt,
    maxRuns: entry.maxRuns === undefined ? null : count(name, 'maxRuns', entry.maxRuns, 1_000_000_000),
  }
}

function readSchedule(name: string, schedule: Entry['schedule']): Schedule {
  if (typeof schedule === 'string' || typeof schedule === 'number') return parseSchedule(schedule, name)
  if (typeof schedule?.next === 'function') return schedule
  throw new UsageError(
    `beat entry '${name}': schedule must be a duration, cron text, crontab({ … }) or an object with ` +
      `next(afterMs, zone), got ${String(schedule)}.`,
  )
}

function withDst(name: string, { dstGap, dstFold }: EntryTiming, schedule: Schedule): Schedule {
  if (dstGap === undefined && dstFold === undefined) return schedule
  const gap = oneOf(name, 'dstGap', dstGap ?? DEFAULT_DST.gap, ['shift', 'skip'])
  const fold = oneOf(name, 'dstFold', dstFold ?? DEFAULT_DST.fold, ['first', 'last', 'both'])
  if (isCalendar(schedule)) return schedule.withDst({ gap, fold })
  const option = dstGap === undefined ? 'dstFold' : 'dstGap'
  throw new UsageError(`beat entry '${name}' has ${option}, but its schedule knows no time of day: leave it out.`)
}

function readCatchUp(name: string, { catchUp = 'latest', catchUpWindow, catchUpLimit }: EntryTiming): CatchUp {
  oneOf(name, 'catchUp', catchUp, ['none', 'latest', 'all'])
  if (catchUpLimit !== undefined && catchUp !== 'all') {
    throw new UsageError(`beat entry '${name}' has catchUpLimit, which goes with catchUp: 'all'.`)
  }
  if (catchUp === 'none') {
    if (catchUpWindow === undefined) return { windowMs: ON_TIME_MS, limit: 1 }
    throw new UsageError(`beat entry '${name}' has catchUpWindow, which goes with catchUp: 'latest' or 'all'.`)
  }
  const what = `catchUpWindow of entry ${name}`
  const windowMs =
    catchUpWindow === undefined ? CATCH_UP_LATEST.windowMs : parseDuration(catchUpWindow, what, { minMs: 1_000 })
  if (catchUp === 'latest') return { ...CATCH_UP_LATEST, windowMs }
  const limit = count(name, 'catchUpLimit', catchUpLimit ?? CATCH_UP_LIMIT, LARGEST_CATCH_UP_LIMIT)
  return { windowMs, limit }
}

function readJitter(name: string, { jitter }: EntryTiming, schedule: Schedule): number {
  if (jitter === undefined) return 0
  const jitterMs = parseDuration(jitter, `jitter of entry ${name}`)
  if (!isGrid(schedule) || jitterMs < schedule.periodMs) return jitterMs
  throw new UsageError(
    `Expected \`jitter of entry ${name}\` to be less than its interval, ${formatDuration(schedule.periodMs)}, ` +
      `got \`${jitter}\` (${typeof jitter}).`,
  )
}

function instantOf(name: string, option: 'startsAt' | 'endsAt', value: Date | string | undefined): number | undefined {
  return value === undefined ? undefined : readInstant(value, `${option} of entry ${name}`)
}

function count(name: string, option: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= max) return value
  throw new UsageError(
    `Expected \`${option} of entry ${name}\` to be a whole number from 1 to ${max}, ` +
      `got \`${String(value)}\` (${typeof value}).`,
  )
}

function oneOf<Choice extends string>(name: string, option: string, value: Choice, choices: readonly Choice[]): Choice {
  if (choices.includes(value)) return value
  const guess = suggest(String(value), choices)
  const known = choices.map((each) => `'${each}'`).join(', ')
  throw new UsageError(
    `Expected \`${option} of entry ${name}\` to be one of ${known}, got \`${String(value)}\` (${typeof value})${guess || '.'}`,
  )
}
