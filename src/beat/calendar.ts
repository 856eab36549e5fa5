import { type OffsetSpan, spanAt } from './zone.js'

/** A date as day rules see it; the time of day plays no part in them. */
export interface CalendarDay {
  readonly dayOfMonth: number
  readonly daysInMonth: number
  /** 0 is Sunday. */
  readonly weekday: number
}

/** What a calendar schedule says, free of zones. The lists ascend without repeats. */
export interface CalendarRule {
  readonly seconds: readonly number[]
  readonly minutes: readonly number[]
  readonly hours: readonly number[]
  /** 1 is January. */
  readonly months: readonly number[]
  /** Each grammar combines day of month and day of week in its own way. */
  readonly matchesDay: (day: CalendarDay) => boolean
  /**
   * `clock`: times of day that people look up (03:00); each comes once a day, whatever the clock does.
   * `elapsed`: a rhythm (every 15 minutes) that goes by the real time between runs.
   */
  readonly pace: 'clock' | 'elapsed'
}

/** What a `clock` rule does where the wall clock jumps. */
export interface DstPolicy {
  /** A time that the clock skips: moved on by the gap's length, or left out. */
  readonly gap: 'shift' | 'skip'
  /** A time that the clock shows twice. */
  readonly fold: 'first' | 'last' | 'both'
}

export const DEFAULT_DST: DstPolicy = { gap: 'shift', fold: 'first' }

const DAY_MS = 86_400_000
/** The Gregorian calendar repeats itself, weekdays included, after 400 years of 146,097 days: what is not in them never comes. */
const CYCLE_DAYS = 146_097
/** A time of day that only ever falls into gaps is given up after this long. */
const HORIZON_MS = 100 * 366 * DAY_MS
/** No two offsets of a zone lie further apart (Samoa skipped a whole day). */
const LARGEST_SHIFT_MS = 2 * DAY_MS

/**
 * The first instant strictly after `afterMs` that the rule names in this zone, or undefined when there is none.
 *
 * Reads the wall clock span by span of equal offset. A gap lengthens the reading of the span before it (the skipped
 * times get that offset, which moves them on by the gap); a fold shortens one of its two readings. So shifted and plain
 * times may lie side by side, and the earlier one wins.
 */
export function nextInstant(
  rule: CalendarRule,
  afterMs: number,
  zone: string,
  dst: DstPolicy = DEFAULT_DST,
): number | undefined {
  const after = Math.floor(afterMs)
  let span = spanBefore(zone, spanAt(zone, after)) ?? spanAt(zone, after)
  let best: number | undefined
  while (span.startsAt <= (best ?? after + HORIZON_MS)) {
    const { from, until } = reading(rule, zone, span, dst)
    const at = firstReading(rule, span, Math.max(from, after + 1))
    if (at !== undefined && at < until) best = Math.min(at, best ?? at)
    const onward = best === undefined ? passOver(rule, span) : span.endsAt
    if (onward === undefined || onward === Number.POSITIVE_INFINITY) return best
    span = spanAt(zone, onward)
  }
  return best
}

/** Whether any date at all matches the rule. */
export function everComes(rule: CalendarRule): boolean {
  return nextDay(rule, 0) !== undefined
}

/** The instants `[from, until)` at which the wall clock of this span counts for the rule. */
function reading(rule: CalendarRule, zone: string, span: OffsetSpan, dst: DstPolicy): { from: number; until: number } {
  if (rule.pace === 'elapsed') return { from: span.startsAt, until: span.endsAt }
  const before = spanBefore(zone, span)
  const after = span.endsAt === Number.POSITIVE_INFINITY ? undefined : spanAt(zone, span.endsAt)
  const foldAtStartMs = before ? Math.max(0, before.offsetMs - span.offsetMs) : 0
  const changeAtEndMs = after ? after.offsetMs - span.offsetMs : 0
  const from = dst.fold === 'first' ? span.startsAt + foldAtStartMs : span.startsAt
  if (changeAtEndMs > 0 && dst.gap === 'shift') return { from, until: span.endsAt + changeAtEndMs }
  if (changeAtEndMs < 0 && dst.fold === 'last') return { from, until: span.endsAt + changeAtEndMs }
  return { from, until: span.endsAt }
}

/** The first match at or after the instant `from`, by this span's offset. */
function firstReading(rule: CalendarRule, span: OffsetSpan, from: number): number | undefined {
  const local = firstLocal(rule, from + span.offsetMs)
  return local === undefined ? undefined : local - span.offsetMs
}

/** Where to look after a span without a match: sparse rules (29 February on a Monday) pass over decades at once. */
function passOver(rule: CalendarRule, span: OffsetSpan): number | undefined {
  if (span.endsAt === Number.POSITIVE_INFINITY) return undefined
  const at = firstReading(rule, span, span.endsAt - LARGEST_SHIFT_MS)
  return at === undefined ? undefined : Math.max(span.endsAt, at - LARGEST_SHIFT_MS)
}

function spanBefore(zone: string, span: OffsetSpan): OffsetSpan | undefined {
  return span.startsAt === Number.NEGATIVE_INFINITY ? undefined : spanAt(zone, span.startsAt - 1)
}

/** The first matching wall-clock time at or after `fromMs`, both written as epoch ms of a clock without zone. */
function firstLocal(rule: CalendarRule, fromMs: number): number | undefined {
  const from = Math.ceil(fromMs / 1000)
  const today = Math.floor((from * 1000) / DAY_MS)
  const day = nextDay(rule, today)
  const time = day === today ? firstTime(rule, from - (today * DAY_MS) / 1000) : undefined
  if (day === undefined) return undefined
  if (time !== undefined) return day * DAY_MS + time * 1000
  const later = day === today ? nextDay(rule, today + 1) : day
  return later === undefined ? undefined : later * DAY_MS + (firstTime(rule, 0) ?? 0) * 1000
}

/** The first matching second of a day at or after `from`. */
function firstTime(rule: CalendarRule, from: number): number | undefined {
  const firstHour = Math.floor(from / 3600)
  for (const hour of rule.hours) {
    if (hour < firstHour) continue
    for (const minute of rule.minutes) {
      const start = hour * 3600 + minute * 60
      if (start + 59 < from) continue
      const second = rule.seconds.find((each) => start + each >= from)
      if (second !== undefined) return start + second
    }
  }
  return undefined
}

/** The first matching day at or after `day`, in days since the epoch; passes over whole months. */
function nextDay(rule: CalendarRule, day: number): number | undefined {
  const end = day + CYCLE_DAYS
  let current = day
  while (current <= end) {
    const date = new Date(current * DAY_MS)
    const month = date.getUTCMonth()
    if (!rule.months.includes(month + 1)) current = Date.UTC(date.getUTCFullYear(), month + 1, 1) / DAY_MS
    else if (rule.matchesDay(calendarDay(date))) return current
    else current += 1
  }
  return undefined
}

function calendarDay(date: Date): CalendarDay {
  return {
    dayOfMonth: date.getUTCDate(),
    daysInMonth: new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate(),
    weekday: date.getUTCDay(),
  }
}
