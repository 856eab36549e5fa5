import { type Duration, parseDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'

/** An error's class, or text: the name of its class, or its `code`. */
export type ErrorMatch = string | (abstract new (...args: never[]) => unknown)

/** The fields of a task that say when and how late it runs again. */
export interface RetryFields {
  readonly autoretryFor?: readonly ErrorMatch[]
  readonly dontAutoretryFor?: readonly ErrorMatch[]
  readonly defaultRetryDelay?: Duration
  readonly retryBackoff?: boolean | Duration
  readonly retryBackoffMax?: Duration
  readonly retryJitter?: boolean
}

export const RETRY_FIELDS = [
  'autoretryFor',
  'dontAutoretryFor',
  'defaultRetryDelay',
  'retryBackoff',
  'retryBackoffMax',
  'retryJitter',
] as const satisfies readonly (keyof RetryFields)[]

/** Read once, defaults filled. */
export interface RetryPolicy {
  readonly autoretryFor: readonly ErrorMatch[]
  readonly dontAutoretryFor: readonly ErrorMatch[]
  /** Where there is no back-off. */
  readonly delayMs: number
  readonly backoff: Backoff | null
}

export interface Backoff {
  /** The first delay; each further one is twice the last. */
  readonly factorMs: number
  readonly maxMs: number
  readonly jitter: boolean
}

/** Celery's. @see https://docs.celeryq.dev/en/stable/userguide/tasks.html#automatic-retry-for-known-exceptions */
const DEFAULT_DELAY_MS = 180_000
const DEFAULT_FACTOR_MS = 1_000
const DEFAULT_MAX_MS = 600_000

/** @throws UsageError that names the task, the field, the value and the cure. */
export function readRetryPolicy(task: string, fields: RetryFields): RetryPolicy {
  const where = `task '${task}'`
  const { defaultRetryDelay, retryBackoff, retryBackoffMax, retryJitter } = fields
  const delayMs =
    defaultRetryDelay === undefined ? DEFAULT_DELAY_MS : parseDuration(defaultRetryDelay, `${where}: defaultRetryDelay`)
  if (retryBackoff === undefined || retryBackoff === false) refuseForeign(where, fields)
  return {
    autoretryFor: readMatches(`${where}: autoretryFor`, fields.autoretryFor),
    dontAutoretryFor: readMatches(`${where}: dontAutoretryFor`, fields.dontAutoretryFor),
    delayMs,
    backoff:
      retryBackoff === undefined || retryBackoff === false
        ? null
        : {
            factorMs: readFactor(where, retryBackoff),
            maxMs:
              retryBackoffMax === undefined
                ? DEFAULT_MAX_MS
                : parseDuration(retryBackoffMax, `${where}: retryBackoffMax`, { minMs: 1 }),
            jitter: readFlag(`${where}: retryJitter`, retryJitter) ?? true,
          },
  }
}

/**
 * How long the next attempt waits, ms, after so many retries before it: `factor * 2 ** retries`, at most `maxMs`; with
 * jitter a random share of that, so that calls that failed together do not come back together. Pure; `random`: 0 … 1.
 */
export function retryDelayMs({ delayMs, backoff }: RetryPolicy, retries: number, random: number): number {
  if (!backoff) return delayMs
  const whole = Math.min(backoff.maxMs, backoff.factorMs * 2 ** retries)
  return Math.round(backoff.jitter ? whole * random : whole)
}

/** Whether a task runs again by itself after this error. Pure. */
export function retriesAfter({ autoretryFor, dontAutoretryFor }: RetryPolicy, thrown: unknown): boolean {
  try {
    return autoretryFor.some((each) => fits(each, thrown)) && !dontAutoretryFor.some((each) => fits(each, thrown))
  } catch {
    // A getter or proxy of the task's own: what it says instead must not stand for what was thrown.
    return false
  }
}

function fits(match: ErrorMatch, thrown: unknown): boolean {
  if (typeof match !== 'string') return thrown instanceof match
  if (typeof thrown !== 'object' || thrown === null) return false
  const { name, code } = thrown as { name?: unknown; code?: unknown }
  return name === match || code === match || classNames(thrown).includes(match)
}

function classNames(thrown: object): string[] {
  const names: string[] = []
  for (let each: unknown = Object.getPrototypeOf(thrown); each; each = Object.getPrototypeOf(each))
    names.push((each as object).constructor?.name)
  return names
}

/** Without a back-off they would silently do nothing. */
function refuseForeign(where: string, fields: RetryFields): void {
  for (const name of ['retryBackoffMax', 'retryJitter'] as const) {
    if (fields[name] === undefined) continue
    throw new UsageError(`${where}: ${name} belongs to retryBackoff; set retryBackoff: true, or leave it out.`)
  }
}

function readFactor(where: string, value: true | Duration): number {
  return value === true ? DEFAULT_FACTOR_MS : parseDuration(value, `${where}: retryBackoff`, { minMs: 1 })
}

function readFlag(what: string, value: unknown): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value
  throw new UsageError(`${what} must be true or false, got ${String(value)}.`)
}

function readMatches(what: string, value: unknown): readonly ErrorMatch[] {
  if (value === undefined) return []
  if (Array.isArray(value) && value.every(isMatch)) return value as ErrorMatch[]
  throw new UsageError(
    `${what} must be an array of error classes, names or codes such as [FetchError, 'TimeoutError', 'ECONNRESET'], got ${shown(value)}.`,
  )
}

/** A class, which an arrow function is not: nothing is an instance of that, and to ask throws. */
function isMatch(value: unknown): boolean {
  if (typeof value !== 'function') return typeof value === 'string' && value !== ''
  try {
    return typeof ({} instanceof value) === 'boolean'
  } catch {
    return false
  }
}

function shown(value: unknown): string {
  if (!Array.isArray(value)) return typeof value === 'function' ? `the class ${value.name} alone` : String(value)
  const wrong = value.find((each) => !isMatch(each))
  if (typeof wrong === 'function') return 'a function that is no class among them'
  return `${JSON.stringify(wrong) ?? String(wrong)} among them`
}
