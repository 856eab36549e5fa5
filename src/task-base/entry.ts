import type { Duration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import { suggest } from '../lock/suggest.js'
import type { CallOptions } from './call.js'
import type { CallOnce } from './once.js'
import type { Schedule } from './schedule.js'
import { readTaskName } from './task-definition.js'

/** When an entry runs, beside its schedule. */
export interface EntryTiming {
  /** IANA name. Default: the app's `timezone`. */
  readonly timezone?: string
  /**
   * What becomes of slots whose time passed while no beat ran: `latest` runs the newest of them, `all` the newest
   * `catchUpLimit` in order, `none` only one that is less than 30 s late. The others are recorded as missed. Default
   * `latest`.
   */
  readonly catchUp?: 'none' | 'latest' | 'all'
  /** With `latest` and `all`: a slot that is later than this is missed. Default: no bound. */
  readonly catchUpWindow?: Duration
  /** With `all`: at most so many slots are made up (1 … 1,000). Default 100. */
  readonly catchUpLimit?: number
  /**
   * Each slot goes out up to this much after its time, always before the next one: by how much is a hash of entry and
   * slot, the same for every beat. Default 0.
   */
  readonly jitter?: Duration
  /** No slot before: a Date, or ISO 8601 text with an offset or `Z`. */
  readonly startsAt?: Date | string
  /** No slot at this instant or after. */
  readonly endsAt?: Date | string
  /** The entry is finished after so many runs; 1 is a one-off. Default: never. */
  readonly maxRuns?: number
  /** A time of day that the clock skips: moved on by the gap's length, or left out. Default `shift`. */
  readonly dstGap?: 'shift' | 'skip'
  /** A time of day that the clock shows twice: which of them run. Default `first`. */
  readonly dstFold?: 'first' | 'last' | 'both'
}

/** What a function of an entry is told: the slot it is called for. */
export interface SlotInfo {
  readonly entry: string
  /** Nominal time of the slot. */
  readonly nominal: Date
}

/** One line of the timetable. */
export interface Entry extends EntryTiming {
  /** Name of the task. */
  readonly task: string
  /** A schedule, a duration (`'5m'`, seconds), or cron text (`'0 3 * * *'`, `'@daily'`). */
  readonly schedule: Schedule | Duration | string
  /** A function is called at each slot, and again if the slot has to be published again; the first message stands. */
  readonly args?: readonly unknown[] | ((slot: SlotInfo) => readonly unknown[] | Promise<readonly unknown[]>)
  /** Arguments by name, instead of `args`; needs `params`, or a task that takes one object. */
  readonly kwargs?: Kwargs | ((slot: SlotInfo) => Kwargs | Promise<Kwargs>)
  /** Wins over the task's own; overlap defaults to the task's, and `raise` acts as `skip`. */
  readonly once?: CallOnce
  /** `expires` defaults to the lock's timeout, without a lock to the next slot. */
  readonly options?: Omit<CallOptions, 'once' | 'id'>
  /** The task's code is elsewhere: this process need not know it. */
  readonly external?: true
  /**
   * Pause the entry once one of its last ten runs has failed for good; `schedule resume` goes on, and so does a change.
   * Beats look before each slot, and between slots ever more rarely, as long as results are kept. Default false.
   */
  readonly pauseOnFailure?: boolean
}

/** An entry's options, and its name. */
export interface PeriodicOptions extends Omit<Entry, 'task' | 'schedule' | 'args' | 'kwargs' | 'external'> {
  readonly name?: string
}

export type Kwargs = Readonly<Record<string, unknown>>

const NAMES = [
  ...['task', 'schedule', 'args', 'kwargs', 'once', 'options', 'external'],
  ...['timezone', 'catchUp', 'catchUpWindow', 'catchUpLimit', 'jitter', 'startsAt', 'endsAt', 'maxRuns'],
  ...['dstGap', 'dstFold', 'pauseOnFailure'],
]

/** @throws UsageError for unknown names and fields of the wrong kind. The schedule's text is beat's to judge. */
export function readEntry(name: string, entry: unknown): Entry {
  const where = `beat entry '${name}'`
  if (typeof entry !== 'object' || entry === null) {
    throw new UsageError(
      `${where} must be an object such as { task: 'feeds.refresh', schedule: '5m' }, got ${String(entry)}.`,
    )
  }
  for (const field of Object.keys(entry)) {
    if (!NAMES.includes(field)) throw new UsageError(`${where} has no field '${field}'${suggest(field, NAMES) || '.'}`)
  }
  const { task, schedule, args, kwargs, options, pauseOnFailure } = entry as Partial<Entry>
  readTaskName(task, `${where}: task`)
  if (schedule === undefined) throw new UsageError(`${where} has no schedule; give '5m', cron text or crontab({ … }).`)
  if (args !== undefined && !Array.isArray(args) && typeof args !== 'function')
    throw new UsageError(
      `${where}: args must be an array, or a function that returns one, got ${JSON.stringify(args)}.`,
    )
  if (kwargs !== undefined && typeof kwargs !== 'function' && !isObject(kwargs))
    throw new UsageError(
      `${where}: kwargs must be an object such as { feedId: 7 }, or a function that returns one, got ${JSON.stringify(kwargs)}.`,
    )
  if (options !== undefined) refuseOptions(where, options)
  if (pauseOnFailure !== undefined && typeof pauseOnFailure !== 'boolean')
    throw new UsageError(`${where}: pauseOnFailure must be true or false, got ${JSON.stringify(pauseOnFailure)}.`)
  if (args !== undefined && kwargs !== undefined)
    throw new UsageError(`${where} has both args and kwargs; keep one of them.`)
  return entry as Entry
}

function refuseOptions(where: string, options: unknown): void {
  if (!isObject(options))
    throw new UsageError(
      `${where}: options must be an object such as { queue: 'reports' }, got ${JSON.stringify(options)}.`,
    )
  if ('id' in options) throw new UsageError(`${where}: options has an id, but each slot has its own: leave it out.`)
  if ('once' in options) throw new UsageError(`${where}: options has once, which is a field of the entry itself.`)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
