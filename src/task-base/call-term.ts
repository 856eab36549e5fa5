import { type Duration, parseDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import { printable } from '../lock/printable.js'

/** What a task and each of its calls may say alike; the call wins, field by field. */
export interface CallTerms {
  /** Which queue carries the message. Default: what the app's `routes` say, else `default`. */
  readonly queue?: string
  /** 0 goes first, then 1 … 2,097,151. Default: in order of arrival, before all with a priority. */
  readonly priority?: number
  /** SIGKILL to the body's process group after this long, at least 10 ms. Default: the worker's `--time-limit`, else none. */
  readonly timeLimit?: Duration
  /**
   * The signal is aborted with `SoftTimeLimitExceeded` after this long; what is left until `timeLimit` is for cleaning up.
   * Default: the worker's `--soft-time-limit`, else none.
   */
  readonly softTimeLimit?: Duration
  /** Keep no value: only how the call ended, for 10 min. Default false. */
  readonly ignoreResult?: boolean
  /** How long the result is kept, at least 1 s. Default: the app's `results.expires`, 1 day. */
  readonly resultExpires?: Duration
}

/** Read once; null: not said. */
export interface ReadTerms {
  readonly queue: string | null
  readonly priority: number | null
  readonly timeLimitMs: number | null
  readonly softTimeLimitMs: number | null
  readonly ignoreResult: boolean | null
  readonly resultMs: number | null
}

export const TERM_NAMES = [
  'queue',
  'priority',
  'timeLimit',
  'softTimeLimit',
  'ignoreResult',
  'resultExpires',
] as const satisfies readonly (keyof CallTerms)[]

/** Of a task whose code is elsewhere. */
export const NO_TERMS: ReadTerms = {
  queue: null,
  priority: null,
  timeLimitMs: null,
  softTimeLimitMs: null,
  ignoreResult: null,
  resultMs: null,
}

export const LEAST_LIMIT_MS = 10
const LEAST_RESULT_MS = 1_000

/** @throws UsageError that names the option, the value and the cure. */
export function readTerms(where: string, terms: CallTerms): ReadTerms {
  const read = {
    queue: terms.queue === undefined ? null : readQueue(where, terms.queue),
    priority: readPriority(where, terms.priority),
    timeLimitMs: readDuration(`${where}: timeLimit`, terms.timeLimit, LEAST_LIMIT_MS),
    softTimeLimitMs: readDuration(`${where}: softTimeLimit`, terms.softTimeLimit, LEAST_LIMIT_MS),
    ignoreResult: readFlag(`${where}: ignoreResult`, terms.ignoreResult),
    resultMs: readDuration(`${where}: resultExpires`, terms.resultExpires, LEAST_RESULT_MS),
  }
  refuseLateSoftLimit(where, read)
  return read
}

/** A soft limit that the hard one forestalls would silently do nothing. */
export function refuseLateSoftLimit(
  where: string,
  {
    softTimeLimitMs: soft,
    timeLimitMs: hard,
    named = ['softTimeLimit', 'timeLimit'],
  }: Pick<ReadTerms, 'softTimeLimitMs' | 'timeLimitMs'> & { readonly named?: readonly [soft: string, hard: string] },
): void {
  if (soft === null || hard === null || soft < hard) return
  throw new UsageError(
    `${where}: a ${named[0]} of ${soft} ms is never reached before the ${named[1]} of ${hard} ms; make it shorter.`,
  )
}

/** @throws UsageError */
export function readQueue(where: string, queue: unknown): string {
  if (typeof queue === 'string' && /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/.test(queue)) return queue
  throw new UsageError(
    `${where}: queue must be a name such as 'reports' (letters, digits, '.', '_', '-'), got ${printable(JSON.stringify(queue) ?? '')}.`,
  )
}

/** @throws UsageError */
export function readPriority(where: string, priority: unknown): number | null {
  if (priority === undefined) return null
  if (typeof priority === 'number' && Number.isInteger(priority) && priority >= 0 && priority <= 2_097_151)
    return priority
  throw new UsageError(`${where}: priority must be a whole number from 0 (first) to 2097151, got ${String(priority)}.`)
}

function readDuration(what: string, value: unknown, minMs: number): number | null {
  return value === undefined ? null : parseDuration(value as Duration, what, { minMs })
}

function readFlag(what: string, value: unknown): boolean | null {
  if (value === undefined) return null
  if (typeof value === 'boolean') return value
  throw new UsageError(`${what} must be true or false, got ${String(value)}.`)
}
