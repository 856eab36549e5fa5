import { createRequire } from 'node:module'
import type { Temporal as TemporalTypes } from 'temporal-polyfill'
import { UsageError } from '../lock/error.js'
import { suggest } from '../lock/suggest.js'

/** A stretch of time in which a zone keeps one offset: `[startsAt, endsAt)` in epoch ms; infinite where it has no end. */
export interface OffsetSpan {
  readonly startsAt: number
  readonly endsAt: number
  /** Local time minus UTC, in ms. */
  readonly offsetMs: number
}

/**
 * The spans of each zone that were asked for, in order, found through Temporal once and kept: a look-up costs a binary
 * search, not a trip through Intl. A zone of today's rules adds two spans a year that is looked at.
 */
const spansByZone = new Map<string, OffsetSpan[]>()

/** The span that holds the instant `at` in an IANA zone. @throws UsageError for a zone that does not exist. */
export function spanAt(zone: string, at: number): OffsetSpan {
  if (zone === 'UTC') return ALWAYS_UTC
  const spans = spansByZone.get(zone) ?? newZone(zone)
  const index = lastStartingBy(spans, at)
  const known = spans[index]
  if (known && at < known.endsAt) return known
  const found = findSpan(zone, at)
  spans.splice(index + 1, 0, found)
  return found
}

/** What the zone's clock shows at an instant, as ISO 8601 with its offset: `2026-03-29T03:30:00+02:00`; ms where there are any. */
export function localTime(at: number, zone: string): string {
  const { offsetMs } = spanAt(zone, at)
  const shown = new Date(at + offsetMs).toISOString().replace(/(?:\.000)?Z$/, '')
  const minutes = Math.round(Math.abs(offsetMs) / 60_000)
  const [hour, minute] = [Math.floor(minutes / 60), minutes % 60].map((each) => String(each).padStart(2, '0'))
  return `${shown}${offsetMs < 0 ? '-' : '+'}${hour}:${minute}`
}

/**
 * Answers the zone's name as given. An offset such as `+01:00` is no zone: it has no daylight saving time.
 *
 * @throws UsageError with a guess for an unknown one.
 */
export function checkZone(zone: string, what: string): string {
  if (isZone(zone)) return zone
  const guess = suggest(String(zone), Intl.supportedValuesOf('timeZone'))
  throw new UsageError(
    `Expected \`${what}\` to be a time zone such as 'Europe/Berlin' or 'UTC', got \`${zone}\`${guess || '.'}`,
  )
}

/** Asking Intl costs 50 µs, and a hundred thousand entries share a few zones. */
const knownZones = new Set(['UTC'])

function isZone(zone: string): boolean {
  if (knownZones.has(zone)) return true
  if (typeof zone !== 'string' || !/^[A-Za-z]/.test(zone)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    knownZones.add(zone)
    return true
  } catch {
    return false
  }
}

const ALWAYS_UTC: OffsetSpan = {
  startsAt: Number.NEGATIVE_INFINITY,
  endsAt: Number.POSITIVE_INFINITY,
  offsetMs: 0,
}

function newZone(zone: string): OffsetSpan[] {
  checkZone(zone, 'timezone')
  const spans: OffsetSpan[] = []
  spansByZone.set(zone, spans)
  return spans
}

function findSpan(zone: string, at: number): OffsetSpan {
  const local = temporal().Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone)
  // `previous` is strictly before: one more ms finds a transition at this very instant.
  const previous = local.add({ milliseconds: 1 }).getTimeZoneTransition('previous')
  const next = local.getTimeZoneTransition('next')
  return {
    startsAt: previous?.epochMilliseconds ?? Number.NEGATIVE_INFINITY,
    endsAt: next?.epochMilliseconds ?? Number.POSITIVE_INFINITY,
    offsetMs: Math.round(local.offsetNanoseconds / 1_000_000),
  }
}

/** Index of the last span that starts at or before `at`; −1 when there is none. */
function lastStartingBy(spans: readonly OffsetSpan[], at: number): number {
  let low = 0
  let high = spans.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((spans[middle]?.startsAt ?? 0) <= at) low = middle + 1
    else high = middle
  }
  return low - 1
}

let loaded: typeof TemporalTypes | undefined

/** Loaded at the first zone that is not UTC: it costs 16 ms, and `import 'beatlock'` has 100. */
function temporal(): typeof TemporalTypes {
  loaded ??= (createRequire(import.meta.url)('temporal-polyfill') as { Temporal: typeof TemporalTypes }).Temporal
  return loaded
}
