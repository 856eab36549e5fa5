import { BeatlockError, BrokerUnavailable, StoreUnavailable, UsageError } from '../lock/error.js'
import {
  AlreadyQueued,
  CommitUnknown,
  LockLost,
  ParkedFull,
  PublishUnknown,
  Rejected,
  ResultTimeout,
  Revoked,
  SoftTimeLimitExceeded,
  StaleToken,
  TaskFailed,
  TimeLimitExceeded,
} from './error.js'

/** An error as JSON: what of it travels from the process that threw it to whoever reads the result. */
export interface CarriedError {
  /** Of its class, where the error itself says no more than a built-in one would. */
  readonly name: string
  readonly message: string
  readonly stack?: string
  readonly code?: string
  /** Of beatlock's own errors only: other fields may hold anything, request headers with passwords say. */
  readonly data?: Readonly<Record<string, unknown>>
  readonly cause?: CarriedError
  /** Of an AggregateError. */
  readonly errors?: readonly CarriedError[]
}

/** A result's error is kept beside its lock: it has a bound, whatever was thrown. */
const MOST_ERRORS = 16
const MOST_IN_ONE = 8
const DEEPEST = 6
const LONGEST_TEXT = 8_192
const MOST_DATA = 2_048

const BUILT_IN: ReadonlyMap<string, new (message: string) => Error> = new Map(
  [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((each) => [each.name, each]),
)

const OWN: readonly { readonly name: string; readonly prototype: Error }[] = [
  ...[BeatlockError, UsageError, StoreUnavailable, BrokerUnavailable],
  ...[AlreadyQueued, ParkedFull, PublishUnknown, Rejected, ResultTimeout, Revoked, TaskFailed, TimeLimitExceeded],
  ...[SoftTimeLimitExceeded, LockLost, StaleToken, CommitUnknown],
]

/** Whatever was thrown, as it travels. Never throws; cycles and what is beyond the bounds are left out. */
export function packError(thrown: unknown): CarriedError {
  const carried = read(() => pack(thrown, { depth: 0, above: [], left: { errors: MOST_ERRORS } }))
  return carried ?? { name: 'Error', message: 'something was thrown that cannot be read' }
}

/** The JSON text of {@link packError}. */
export function errorText(thrown: unknown): string {
  return JSON.stringify(packError(thrown))
}

/**
 * The error again: one of beatlock's own classes or of JavaScript's is of that class here too, any other is an `Error` of
 * that name.
 */
export function unpackError(carried: CarriedError): Error {
  const { name, message, stack, code, data, cause, errors } = carried
  const options = cause === undefined ? undefined : { cause: unpackError(cause) }
  const error = errors
    ? new AggregateError(errors.map(unpackError), message, options)
    : new (BUILT_IN.get(name) ?? Error)(message)
  if (!errors && options) hide(error, 'cause', options.cause)
  if (stack !== undefined) hide(error, 'stack', stack)
  const own = data && OWN.find((each) => each.name === name)
  if (own) Object.setPrototypeOf(error, own.prototype)
  if (error.name !== name) hide(error, 'name', name)
  // The fields of beatlock's own errors are in their data.
  return Object.assign(error, own && data, code !== undefined && { code }, own && { data })
}

/** The error of an outcome or an event. */
export function carriedError(text: string): Error {
  return unpackError(JSON.parse(text) as CarriedError)
}

interface Walk {
  readonly depth: number
  readonly above: readonly unknown[]
  readonly left: { errors: number }
}

function pack(thrown: unknown, walk: Walk): CarriedError {
  walk.left.errors -= 1
  if (!isError(thrown)) return { name: 'Error', message: cut(String(thrown)) }
  const stack = textOf(thrown, 'stack')
  const code = textOf(thrown, 'code')
  const data = dataOf(thrown)
  const below = { ...walk, depth: walk.depth + 1, above: [...walk.above, thrown] }
  const cause = next(field(thrown, 'cause'), below)
  const errors = aggregated(thrown, below)
  return {
    name: nameOf(thrown),
    message: textOf(thrown, 'message') ?? '',
    ...(stack !== undefined && { stack }),
    ...(code !== undefined && { code }),
    ...(data !== undefined && { data }),
    ...(cause !== undefined && { cause }),
    ...(errors !== undefined && { errors }),
  }
}

function next(thrown: unknown, walk: Walk): CarriedError | undefined {
  const over = walk.depth >= DEEPEST || walk.left.errors <= 0
  return thrown === undefined || over || walk.above.includes(thrown) ? undefined : pack(thrown, walk)
}

function aggregated(thrown: object, walk: Walk): CarriedError[] | undefined {
  const errors = thrown instanceof AggregateError ? field(thrown, 'errors') : undefined
  if (!Array.isArray(errors)) return undefined
  return errors.slice(0, MOST_IN_ONE).flatMap((each) => next(each, walk) ?? [])
}

/** Also one of another realm, which is no `instanceof Error` here. */
function isError(thrown: unknown): thrown is object {
  if (thrown instanceof Error) return true
  return typeof thrown === 'object' && thrown !== null && typeof field(thrown, 'message') === 'string'
}

/** `class Declined extends Error {}` says `Error` of itself: its class says more. */
function nameOf(thrown: object): string {
  const name = textOf(thrown, 'name') ?? 'Error'
  const className: unknown = read(() => thrown.constructor.name)
  const isPlain = typeof className !== 'string' || className === '' || className === 'Object'
  return isPlain || !BUILT_IN.has(name) ? name : cut(className)
}

function dataOf(thrown: object): CarriedError['data'] {
  if (!(thrown instanceof BeatlockError)) return undefined
  const text = read(() => JSON.stringify(thrown.data))
  return text === undefined || text.length > MOST_DATA ? {} : (JSON.parse(text) as Record<string, unknown>)
}

function textOf(thrown: object, name: string): string | undefined {
  const text = field(thrown, name)
  return typeof text === 'string' ? cut(text) : undefined
}

/** A getter may throw as well. */
function field(thrown: object, name: string): unknown {
  return read(() => (thrown as Record<string, unknown>)[name])
}

function read<T>(get: () => T): T | undefined {
  try {
    return get()
  } catch {
    return undefined
  }
}

function cut(text: string): string {
  if (text.length <= LONGEST_TEXT) return text
  return `${text.slice(0, LONGEST_TEXT)} … (${text.length - LONGEST_TEXT} characters more)`
}

/** As JavaScript has it on an error: printing it does not list it. */
function hide(error: Error, name: string, value: unknown): void {
  Object.defineProperty(error, name, { value, configurable: true, writable: true })
}
