import { type Grid, isGrid } from './every.js'
import { dueAt, nextSlot, type Timetable } from './slot.js'

/** Which of the slots that came due while nobody looked are made up: the newest `limit` of those in the window. */
export interface CatchUp {
  /** A slot that is later than this is dropped. `Infinity` for no bound. */
  readonly windowMs: number
  /** 1 to 1,000; 0 drops all. */
  readonly limit: number
}

export const CATCH_UP_LATEST: CatchUp = { windowMs: Number.POSITIVE_INFINITY, limit: 1 }

export interface SlotRequest {
  /** The cursor: slots up to here are settled. */
  readonly after: number
  readonly now: number
  readonly catchUp: CatchUp
}

export interface MissedSlots {
  readonly slots: number
  /** Nominal time of the latest of them. */
  readonly latest: number
  /** False: there were more than `slots`, which then is at least 10,000. */
  readonly exact: boolean
}

/** What is due. `fire` may be empty, when all is too late; then there is something missed. */
export interface SlotPlan {
  /** Nominal times to run, the oldest first. */
  readonly fire: readonly number[]
  /** All that are dropped. They come before the first to run. */
  readonly missed: MissedSlots | null
}

/** Slots of a calendar that are counted one by one; beyond them a search finds the newest and the count says "at least". */
const WALKED_SLOTS = 10_000
/** A span with no more slots than are wanted and this many is walked, a fuller one is halved. */
const SPARE_SLOTS = 16

/**
 * What is due after the cursor, or undefined. The slots to run are, of those that are due:
 * the newest `limit` that are at most `windowMs` late (jitter aside). Those before them are missed.
 *
 * Pure. A grid costs O(limit) after any downtime; anything else at most 10,000 questions to its schedule, and beyond
 * that many slots some 50 × (limit + 16) more.
 */
export function planSlots(entry: Timetable, request: SlotRequest): SlotPlan | undefined {
  const { after, now, catchUp } = request
  const until = Math.min(now, (entry.endsAt ?? Number.POSITIVE_INFINITY) - 1)
  // One more to tell the latest that is missed, and one whose jitter is not over.
  const past = lookBack(entry, { after, until }, catchUp.limit + 2)
  const due = withoutPending(entry, past, now)
  if (due.count === 0) return undefined
  const timely = due.newest.filter((nominal) => !isTooLate(entry, { nominal, now, catchUp }))
  const chosen = timely.slice(Math.max(0, timely.length - catchUp.limit))
  return { fire: chosen, missed: missedBefore(due, chosen.length) }
}

/** Whether a slot is past its window; one that was claimed in time and left open for hours is dropped by it too. */
export function isTooLate(
  { jitterMs = 0 }: Pick<Timetable, 'jitterMs'>,
  { nominal, now, catchUp }: { readonly nominal: number; readonly now: number; readonly catchUp: CatchUp },
): boolean {
  return now - nominal > catchUp.windowMs + jitterMs
}

/** The end of what lies in a span. */
interface Past {
  readonly count: number
  /** As many as were wanted, the oldest first. */
  readonly newest: readonly number[]
  /** False: there are more than `count`. */
  readonly exact: boolean
}

interface Span {
  readonly after: number
  readonly until: number
}

function missedBefore({ count, newest, exact }: Past, chosen: number): MissedSlots | null {
  const latest = newest.at(-chosen - 1)
  return latest === undefined ? null : { slots: count - chosen, latest, exact }
}

/** Jitter is shorter than the time to the next slot: at most one slot waits for its own to be over. */
function withoutPending(entry: Timetable, past: Past, now: number): Past {
  const last = past.newest.at(-1)
  if (last === undefined || dueAt(entry, last) <= now) return past
  return { ...past, count: past.count - 1, newest: past.newest.slice(0, -1) }
}

function lookBack(entry: Timetable, span: Span, wanted: number): Past {
  const { schedule } = entry
  return isGrid(schedule) ? countGrid(entry, schedule, { ...span, wanted }) : walkThenSearch(entry, span, wanted)
}

function countGrid(entry: Timetable, { periodMs }: Grid, { after, until, wanted }: Span & { wanted: number }): Past {
  const first = nextSlot(entry, after)
  if (first === undefined || first > until) return { count: 0, newest: [], exact: true }
  const count = Math.floor((until - first) / periodMs) + 1
  const from = Math.max(0, count - wanted)
  const newest = Array.from({ length: count - from }, (_, index) => first + (from + index) * periodMs)
  return { count, newest, exact: true }
}

function walkThenSearch(entry: Timetable, span: Span, wanted: number): Past {
  const walked = walk(entry, span, WALKED_SLOTS)
  const reached = walked.at(-1)
  const more = reached !== undefined && walked.length === WALKED_SLOTS
  const later = more ? newestIn(entry, { after: reached, until: span.until }, wanted) : []
  return {
    count: walked.length + later.length,
    newest: [...walked.slice(-wanted), ...later].slice(-wanted),
    exact: later.length < wanted,
  }
}

/** The slots of a span, the oldest first, at most so many. */
function walk(entry: Timetable, { after, until }: Span, most: number): number[] {
  const found: number[] = []
  let next = nextSlot(entry, after)
  while (next !== undefined && next <= until && found.length < most) {
    found.push(next)
    next = found.length < most ? nextSlot(entry, next) : undefined
  }
  return found
}

/** The newest slots of a span that may hold millions: looks into its later half first. */
function newestIn(entry: Timetable, span: Span, wanted: number): number[] {
  const most = wanted + SPARE_SLOTS
  const walked = walk(entry, span, most)
  if (walked.length < most) return walked.slice(-wanted)
  const middle = Math.floor((span.after + span.until) / 2)
  const late = newestIn(entry, { after: middle, until: span.until }, wanted)
  if (late.length >= wanted) return late
  return [...newestIn(entry, { after: span.after, until: middle }, wanted - late.length), ...late]
}
