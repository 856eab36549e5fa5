import { type Duration, parseDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import { MODES, type Mode } from '../lock/mode.js'
import type { Keep, Overlap, OverlapPolicy } from '../lock/overlap.js'
import { suggest } from '../lock/suggest.js'

/** What a call or a beat entry may change about a task's guard. */
export interface CallOnce {
  /** How long the call may hold the key **without running**; at least 1 s, default 1 h. The lease follows the body. */
  readonly timeout?: Duration
  /** What happens when the key is held. Default: `raise` for calls, `skip` for beat entries. */
  readonly overlap?: Overlap
  /** With `defer`: which of several deferred calls' arguments run. Default `first`. */
  readonly keep?: Keep
  /** With `queue`: how many calls may be parked, 1 … 100,000; then calls are refused with `ParkedFull`. Default 1,000. */
  readonly maxParked?: number
}

export type { Mode } from '../lock/mode.js'

/** How a task is guarded. */
export interface Once<A extends readonly never[] | readonly unknown[] = readonly never[], K extends string = string>
  extends CallOnce {
  /**
   * Names of the arguments that make the key; all if absent, none (`[]`) for one lock per task. A call that leaves one
   * out is refused, unless the task's `defaults` give it.
   */
  readonly keys?: readonly K[]
  /** Computes what makes the key instead: any JSON value. Excludes `keys`. */
  readonly key?: (...args: A extends readonly never[] ? never[] : [...A]) => unknown
  /** How many calls may hold a key at once, 1 … 1,000. Default 1. */
  readonly limit?: number
  /** The lock's scope over a call's life. Default `untilExecuted`: from the call to its end. */
  readonly mode?: Mode
  /** As celery_once: `true` is `mode: 'untilExecuting'`. */
  readonly unlockBeforeRun?: boolean
  /** With `replace`: a holder that has run for less is waited for, not cancelled. Default 0. */
  readonly minRun?: Duration
  /** Hide the key arguments in labels, lists and logs. */
  readonly redact?: boolean
  /** As celery_once: `true` is `overlap: 'skip'`, `false` is `overlap: 'raise'`. */
  readonly graceful?: boolean
}

/** A task's guard, read once, defaults filled. */
export interface Guard extends OverlapPolicy {
  readonly keys: readonly string[] | null
  readonly key: ((...args: unknown[]) => unknown) | null
  readonly limit: number
  readonly mode: Mode
  readonly timeoutMs: number
  readonly redact: boolean
}

const NAMES = [
  'timeout',
  'overlap',
  'keep',
  'keys',
  'key',
  'limit',
  'mode',
  'redact',
  'graceful',
  'unlockBeforeRun',
  'maxParked',
  'minRun',
]
const CALL_NAMES = ['timeout', 'overlap', 'keep', 'maxParked']
const OVERLAPS: readonly Overlap[] = ['raise', 'skip', 'defer', 'queue', 'replace', 'allow']
const KEEPS: readonly Keep[] = ['first', 'latest']
/** Options that say something about one policy only. */
const BELONGS_TO: Readonly<Record<string, Overlap>> = { keep: 'defer', maxParked: 'queue', minRun: 'replace' }
const DEFAULT_TIMEOUT_MS = 3_600_000
const DEFAULT_PARKED = 1_000
const MOST_PARKED = 100_000
const MOST_HOLDERS = 1_000

/** @throws UsageError that names the task, the option, the value and the cure. */
export function readGuard(task: string, once: unknown): Guard {
  const where = `task '${task}': once`
  const options = readObject(where, once, NAMES)
  refuseContradictions(where, options)
  if (options['keys'] !== undefined && options['key'] !== undefined) {
    throw new UsageError(`${where} has both keys and key; keep one of them.`)
  }
  return {
    keys: readKeys(where, options['keys']),
    key: readKeyFunction(where, options['key']),
    limit: readCount(where, { limit: options['limit'] }, MOST_HOLDERS) ?? 1,
    mode: readMode(where, options),
    timeoutMs: readTimeout(where, options['timeout']) ?? DEFAULT_TIMEOUT_MS,
    overlap: readOverlap(where, options['overlap']) ?? (readFlag(where, options, 'graceful') ? 'skip' : 'raise'),
    keep: readKeep(where, options['keep']) ?? 'first',
    maxParked: readCount(where, { maxParked: options['maxParked'] }, MOST_PARKED) ?? DEFAULT_PARKED,
    minRunMs: options['minRun'] === undefined ? 0 : parseDuration(options['minRun'] as Duration, `${where}.minRun`),
    redact: options['redact'] === true,
  }
}

/** What a call says of its guard. */
interface SaidOfGuard {
  readonly overlap: Overlap | undefined
  readonly timeoutMs: number | undefined
  readonly keep: Keep | undefined
  readonly maxParked: number | undefined
}

/** Judges it alone, since its task may be another process's. @throws UsageError that names the option, the value and the cure. */
export function readCallOnce(call: CallOnce, where: string): SaidOfGuard {
  const options = readObject(where, call, CALL_NAMES)
  const overlap = readOverlap(where, options['overlap'])
  if (overlap !== undefined) refuseForeign(where, options, overlap)
  return {
    overlap,
    timeoutMs: readTimeout(where, options['timeout']),
    keep: readKeep(where, options['keep']),
    maxParked: readCount(where, { maxParked: options['maxParked'] }, MOST_PARKED),
  }
}

/** The guard of one call: what the call says wins over the task's own. `overlap` is the caller's default. */
export function withCall(guard: Guard, call: CallOnce | undefined, where: string): Guard {
  if (call === undefined) return guard
  const said = readCallOnce(call, where)
  const overlap = said.overlap ?? guard.overlap
  refuseForeign(where, { ...call }, overlap)
  return {
    ...guard,
    timeoutMs: said.timeoutMs ?? guard.timeoutMs,
    overlap,
    keep: said.keep ?? guard.keep,
    maxParked: said.maxParked ?? guard.maxParked,
  }
}

function readObject(where: string, value: unknown, known: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError(`${where} must be an object such as { timeout: '1h', overlap: 'skip' }, got ${String(value)}.`)
  }
  for (const name of Object.keys(value)) {
    if (!known.includes(name)) throw new UsageError(`${where} has no option '${name}'${suggest(name, known) || '.'}`)
  }
  return value as Record<string, unknown>
}

function refuseContradictions(where: string, options: Readonly<Record<string, unknown>>): void {
  const { overlap, graceful, mode, unlockBeforeRun } = options
  const contradiction = (one: string, other: string): never => {
    throw new UsageError(`${where} says both ${one} and ${other}; keep one of them.`)
  }
  if (graceful !== undefined && overlap !== undefined && overlap !== (graceful === true ? 'skip' : 'raise')) {
    contradiction(`graceful: ${String(graceful)}`, `overlap: '${String(overlap)}'`)
  }
  if (unlockBeforeRun !== undefined && mode !== undefined && (mode === 'untilExecuting') !== unlockBeforeRun) {
    contradiction(`unlockBeforeRun: ${String(unlockBeforeRun)}`, `mode: '${String(mode)}'`)
  }
  if (overlap !== undefined) refuseForeign(where, options, overlap)
}

/** An option of a policy that is not in force would silently do nothing. */
function refuseForeign(where: string, options: Readonly<Record<string, unknown>>, overlap: unknown): void {
  for (const [name, policy] of Object.entries(BELONGS_TO)) {
    if (options[name] === undefined || overlap === policy) continue
    throw new UsageError(`${where}: ${name} belongs to overlap '${policy}', not to '${String(overlap)}'; leave it out.`)
  }
}

function readMode(where: string, options: Readonly<Record<string, unknown>>): Mode {
  if (options['mode'] === undefined)
    return readFlag(where, options, 'unlockBeforeRun') ? 'untilExecuting' : 'untilExecuted'
  return readWord(`${where}.mode`, options['mode'], MODES)
}

function readKeep(where: string, value: unknown): Keep | undefined {
  return value === undefined ? undefined : readWord(`${where}.keep`, value, KEEPS)
}

function readWord<Word extends string>(what: string, value: unknown, words: readonly Word[]): Word {
  const word = words.find((each) => each === value)
  if (word) return word
  const guess = typeof value === 'string' ? suggest(value, words) : ''
  const list = words.map((each) => `'${each}'`).join(', ')
  throw new UsageError(`${what} must be one of ${list}, got ${JSON.stringify(value)}${guess}.`)
}

/** A whole number from 1 on, named by the one field of `of`. */
function readCount(where: string, of: Readonly<Record<string, unknown>>, most: number): number | undefined {
  const [[name, value] = []] = Object.entries(of)
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= most) return value
  throw new UsageError(`${where}.${name} must be a whole number from 1 to ${most}, got ${JSON.stringify(value)}.`)
}

function readTimeout(where: string, value: unknown): number | undefined {
  if (value === undefined) return undefined
  return parseDuration(value as Duration, `${where}.timeout`, { minMs: 1000 })
}

function readOverlap(where: string, value: unknown): Overlap | undefined {
  return value === undefined ? undefined : readWord(`${where}.overlap`, value, OVERLAPS)
}

function readFlag(where: string, options: Readonly<Record<string, unknown>>, name: string): boolean {
  const value = options[name]
  if (value === undefined || typeof value === 'boolean') return value === true
  throw new UsageError(`${where}.${name} must be true or false, got ${String(value)}.`)
}

function readKeys(where: string, value: unknown): readonly string[] | null {
  if (value === undefined) return null
  if (Array.isArray(value) && value.every((each) => typeof each === 'string' && each !== '')) return value as string[]
  throw new UsageError(`${where}.keys must be an array of argument names, got ${JSON.stringify(value)}.`)
}

function readKeyFunction(where: string, value: unknown): Guard['key'] {
  if (value === undefined) return null
  if (typeof value === 'function') return value as (...args: unknown[]) => unknown
  throw new UsageError(`${where}.key must be a function of the arguments, got ${JSON.stringify(value)}.`)
}
