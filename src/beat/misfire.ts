import { UsageError } from '../lock/error.js'
import type { Schedule } from '../task-base/schedule.js'
import { type Grid, isGrid } from './every.js'

/** Slots of a calendar that are counted one by one; beyond them a search finds the latest and the count says "at least". */
const WALKED_SLOTS = 10_000

export interface DueSlots {
  /** The slot to run: the latest that is due (`catchUp: 'latest'`). */
  readonly nominal: number
  /** Those before it, which are dropped. */
  readonly missed: { readonly slots: number; readonly latest: number } | null
  /** False: more were dropped than `missed` counts. */
  readonly exact: boolean
}

/** Whose schedule is asked, and where. */
export interface Timetable {
  readonly name: string
  readonly schedule: Schedule
  readonly zone: string
}

/** What is due in `(from, now]`, or undefined. Pure; bounded work and memory for any length of downtime. */
export function dueSlots(entry: Timetable, from: number, now: number): DueSlots | undefined {
  const first = nextSlot(entry, from)
  if (first === undefined || first > now) return undefined
  return isGrid(entry.schedule) ? countGrid(entry.schedule, first, now) : walk(entry, first, now)
}

/**
 * The slot after `after`. @throws UsageError for a schedule that answers no later whole number: it would be asked for ever.
 */
export function nextSlot({ name, schedule, zone }: Timetable, after: number): number | undefined {
  const next = schedule.next(after, zone)
  if (next === undefined || (Number.isSafeInteger(next) && next > after)) return next
  throw new UsageError(
    `the schedule of entry ${name} answered ${next} for next(${after}): write one that answers a later whole number ` +
      'of epoch ms, or undefined when there is none.',
  )
}

function countGrid({ periodMs }: Grid, first: number, now: number): DueSlots {
  const slots = Math.floor((now - first) / periodMs)
  const nominal = first + slots * periodMs
  return { nominal, missed: slots > 0 ? { slots, latest: nominal - periodMs } : null, exact: true }
}

function walk(entry: Timetable, first: number, now: number): DueSlots {
  let previous = first
  let nominal = first
  for (let slots = 0; slots < WALKED_SLOTS; slots++) {
    const next = nextSlot(entry, nominal)
    if (next === undefined || next > now) {
      return { nominal, missed: slots > 0 ? { slots, latest: previous } : null, exact: true }
    }
    previous = nominal
    nominal = next
  }
  return jump(entry, { previous, walkedTo: nominal }, now)
}

/** From where the walk gave up: what it walked is dropped and counted, what lies between there and the latest is not. */
function jump(entry: Timetable, { previous, walkedTo }: { previous: number; walkedTo: number }, now: number): DueSlots {
  const nominal = lastSlot(entry, walkedTo, now)
  const latest = lastSlot(entry, previous, nominal - 1)
  return { nominal, missed: { slots: WALKED_SLOTS, latest }, exact: nominal === walkedTo }
}

/** The last slot in `[low, high]`, where `low` counts as one: halves the span, at most some fifty questions. */
function lastSlot(entry: Timetable, low: number, high: number): number {
  let found = low
  let empty = high
  while (empty - found > 1) {
    const middle = Math.floor((found + empty) / 2)
    const next = nextSlot(entry, middle)
    if (next !== undefined && next <= high) found = next
    else empty = middle
  }
  const next = nextSlot(entry, found)
  return next !== undefined && next <= high ? next : found
}
