import { UsageError } from './error.js'

/**
 * A length of time in the public API: text with a unit (`'500ms'`, `'30s'`, `'1.5m'`, `'1h'`, `'1d'`), or a number of
 * **seconds**, as in Celery. A number above 10,000 is refused: it was probably meant as milliseconds.
 */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

/** Both ends are allowed values. */
export interface DurationBounds {
  /** Default 0. */
  readonly minMs?: number
  /** Default 100 years. */
  readonly maxMs?: number
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const LARGEST_PLAIN_NUMBER = 10_000
const CENTURY_MS = 36_525 * 86_400_000

/**
 * Whole milliseconds. `what` names the option for the error's sentence.
 *
 * @throws UsageError that names option, value and cure: no number, negative, empty, no or an unknown unit, blanks, a
 * number above 10,000, or outside the bounds.
 */
export function parseDuration(value: number | string, what: string, bounds: DurationBounds = {}): number {
  const { minMs = 0, maxMs = CENTURY_MS } = bounds
  const ms = typeof value === 'number' ? fromSeconds(value, what) : fromText(value, what)
  if (ms < minMs) throw wrong(what, `a duration of at least ${formatDuration(minMs)}`, value)
  if (ms > maxMs) throw wrong(what, `a duration of at most ${formatDuration(maxMs)}`, value)
  return ms
}

/** Whether text is meant as a duration: a number with a known unit. */
export function looksLikeDuration(text: string): boolean {
  return /^\d+(?:\.\d+)?(?:ms|s|m|h|d)$/.test(text)
}

/** For people: the two largest units, `1h 5m`, `43 s`, `250 ms`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${Number((Math.floor(ms / 100) / 10).toFixed(1))} s`
  const [large, small] = ms < 3_600_000 ? ['m', 's'] : ms < 86_400_000 ? ['h', 'm'] : ['d', 'h']
  const whole = Math.floor(ms / unitMs(large))
  const rest = Math.floor((ms % unitMs(large)) / unitMs(small))
  return rest === 0 ? `${whole}${large}` : `${whole}${large} ${rest}${small}`
}

function fromSeconds(seconds: number, what: string): number {
  if (!Number.isFinite(seconds) || seconds < 0) throw wrong(what, 'a duration such as 30 (seconds) or "5m"', seconds)
  if (seconds > LARGEST_PLAIN_NUMBER) {
    throw new UsageError(
      `Expected \`${what}\` to be a duration, got \`${seconds}\` (number): a number counts seconds, ` +
        `and one above 10,000 is refused; write '${seconds / 1000}s' or '${seconds}s'.`,
    )
  }
  return Math.round(seconds * 1000)
}

function fromText(text: string, what: string): number {
  // A list of one text would pass for that text.
  const match = typeof text === 'string' ? /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) : null
  if (match) return Math.round(Number(match[1]) * unitMs(match[2]))
  throw wrong(what, `a duration such as '30s' (units: ms, s, m, h, d)${cureFor(String(text))}`, text)
}

function cureFor(text: string): string {
  if (/^\d+(?:\.\d+)?$/.test(text)) return `; write '${text}s' if seconds are meant`
  const close = text.replaceAll(/\s+/g, '').toLowerCase()
  return looksLikeDuration(close) ? `; write '${close}'` : ''
}

function unitMs(unit: string | undefined): number {
  return UNIT_MS[unit ?? ''] ?? Number.NaN
}

/** The one shape of a sentence about a wrong duration. `typeof` runs on whatever untyped callers pass. */
function wrong(what: string, expected: string, value: unknown): UsageError {
  return new UsageError(`Expected \`${what}\` to be ${expected}, got \`${String(value)}\` (${typeof value}).`)
}
