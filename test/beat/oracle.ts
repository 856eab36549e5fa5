import { type CalendarRule, DEFAULT_DST, type DstPolicy } from '../../src/beat/calendar.js'

const HOUR = 3_600_000

/** What the wall clock of a zone shows at an instant, asked of Intl alone: the tests' independent witness. */
export interface WallTime {
  readonly second: number
  readonly minute: number
  readonly hour: number
  readonly dayOfMonth: number
  readonly month: number
  readonly weekday: number
}

const formats = new Map<string, Intl.DateTimeFormat>()
const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

export function wallTime(zone: string, at: number): WallTime {
  const format = formats.get(zone) ?? newFormat(zone)
  const parts = Object.fromEntries(format.formatToParts(at).map((part) => [part.type, part.value]))
  return {
    second: Number(parts['second']),
    minute: Number(parts['minute']),
    hour: Number(parts['hour']),
    dayOfMonth: Number(parts['day']),
    month: Number(parts['month']),
    weekday: WEEKDAYS.indexOf(parts['weekday'] ?? ''),
  }
}

/** Every minute in `(after, end]` whose wall clock `matches`; the zone's offsets must be whole minutes. */
export function scan(
  zone: string,
  span: { after: number; end: number },
  matches: (wall: WallTime) => boolean,
): number[] {
  const found: number[] = []
  for (let at = (Math.floor(span.after / 60_000) + 1) * 60_000; at <= span.end; at += 60_000) {
    if (matches(wallTime(zone, at))) found.push(at)
  }
  return found
}

export function matches(rule: CalendarRule, wall: WallTime): boolean {
  const day = { dayOfMonth: wall.dayOfMonth, daysInMonth: 0, weekday: wall.weekday }
  const time = rule.minutes.includes(wall.minute) && rule.hours.includes(wall.hour)
  return time && rule.months.includes(wall.month) && rule.matchesDay(day)
}

/**
 * The policy by another road: every local minute of the days around, turned into its instants by looking for the
 * minutes of UTC at which the wall shows it. Of two of them the policy's choice. None: the gap's length on from where it
 * would have been, or left out.
 */
export function fixedTimes(
  rule: CalendarRule,
  zone: string,
  { after, end, dst = DEFAULT_DST }: { after: number; end: number; dst?: DstPolicy },
): number[] {
  const shown = new Map<number, number[]>()
  const from = Math.floor((after - 40 * HOUR) / 60_000) * 60_000
  const offsets: { at: number; offset: number }[] = []
  for (let at = from; at <= end + 2 * HOUR; at += 60_000) {
    const local = at + offsetOf(zone, at)
    shown.set(local, [...(shown.get(local) ?? []), at])
    if (offsets.at(-1)?.offset !== local - at) offsets.push({ at, offset: local - at })
  }
  const found = new Set<number>()
  for (let local = from + (offsets[0]?.offset ?? 0); local <= end + 28 * HOUR; local += 60_000) {
    if (!matches(rule, utcWall(local))) continue
    for (const at of instantsOf(shown.get(local) ?? [], () => shifted(local, offsets), dst)) {
      if (at > after && at <= end) found.add(at)
    }
  }
  return [...found].sort((a, b) => a - b)
}

function instantsOf(shown: readonly number[], moved: () => number | undefined, dst: DstPolicy): readonly number[] {
  if (shown.length === 0) {
    const at = dst.gap === 'shift' ? moved() : undefined
    return at === undefined ? [] : [at]
  }
  if (dst.fold === 'both') return shown
  return dst.fold === 'last' ? shown.slice(-1) : shown.slice(0, 1)
}

/** The minutes of a year from which on a zone's offset is another, in order. */
export function changesIn(zone: string, year: number): number[] {
  const found: number[] = []
  let before = Date.UTC(year, 0, 1)
  const end = Date.UTC(year + 1, 0, 1)
  for (let after = before + 24 * HOUR; after < end; before = after, after += 24 * HOUR) {
    if (offsetOf(zone, before) === offsetOf(zone, after)) continue
    let at = before
    while (offsetOf(zone, at) === offsetOf(zone, before)) at += 60_000
    found.push(at)
  }
  return found
}

/** A local time in a gap, read with the offset from before the gap. */
function shifted(local: number, offsets: readonly { at: number; offset: number }[]): number | undefined {
  for (const [index, { at, offset }] of offsets.entries()) {
    const before = offsets[index - 1]
    if (before && local >= at + before.offset && local < at + offset) return local - before.offset
  }
  return undefined
}

const offsetFormats = new Map<string, Intl.DateTimeFormat>()

function offsetOf(zone: string, at: number): number {
  const format =
    offsetFormats.get(zone) ?? new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
  offsetFormats.set(zone, format)
  const name = format.formatToParts(at).find((part) => part.type === 'timeZoneName')?.value ?? ''
  const [, sign, hours, minutes] = /GMT([+-])(\d+):(\d+)/.exec(name) ?? []
  return (sign === '-' ? -1 : 1) * (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000
}

function utcWall(local: number): WallTime {
  const date = new Date(local)
  const [minute, hour, dayOfMonth] = [date.getUTCMinutes(), date.getUTCHours(), date.getUTCDate()]
  return { second: 0, minute, hour, dayOfMonth, month: date.getUTCMonth() + 1, weekday: date.getUTCDay() }
}

function newFormat(zone: string): Intl.DateTimeFormat {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    second: '2-digit',
    minute: '2-digit',
    hour: '2-digit',
    day: '2-digit',
    month: '2-digit',
    weekday: 'short',
  })
  formats.set(zone, format)
  return format
}
