import { type Duration, parseDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import { privateKey } from '../lock/key.js'
import { holdsAtPublish } from '../lock/mode.js'
import { printable } from '../lock/printable.js'
import { suggest } from '../lock/suggest.js'
import { ulid } from '../lock/ulid.js'
import { type CallTerms, type ReadTerms, readTerms, refuseLateSoftLimit, TERM_NAMES } from './call-term.js'
import { type Headers, readHeaders } from './header.js'
import { boundArguments, keyOf, type Signature } from './key-argument.js'
import { encodeMessage, type Message, type MessageLock } from './message.js'
import { type CallOnce, type Guard, readCallOnce, withCall } from './once.js'
import type { Router } from './route.js'

/** How one call goes out. */
export interface CallOptions extends CallTerms {
  /**
   * The message's id: 1–100 of `A-Za-z0-9._-`. The same id again is the same call, until its end is forgotten: 10 min after
   * it, or with its result if that is kept longer. Default: a new ULID.
   */
  readonly id?: string
  /** Start at the earliest after this long. */
  readonly countdown?: Duration
  /** Start at the earliest at this instant. */
  readonly eta?: Date
  /** Worthless after this long (or at this instant), counted from the call. */
  readonly expires?: Duration | Date
  /** How often the task may be retried; default: its `maxRetries`. */
  readonly retries?: number
  /** Texts for the body, as `this.request.headers`; no part of the key. At most 8,192 bytes as JSON. Default: none. */
  readonly headers?: Headers
  readonly once?: CallOnce
}

/** What a call needs to know of its task: its code, or what a worker has told of it. */
export interface CallTarget extends Signature, ReadTerms {
  /** Null: no lock. Undefined: unknown here, to be guarded at delivery. */
  readonly guard: Guard | null | undefined
  /** Null: unknown here. */
  readonly maxRetries: number | null
}

export interface CallContext {
  readonly app: string
  /** Where a call goes that says nothing itself, nor its task. */
  readonly router: Router
  readonly resultMs: number
  /** Epoch ms by the store's clock. */
  readonly now: number
}

const NAMES = ['id', 'countdown', 'eta', 'expires', 'retries', 'headers', 'once', ...TERM_NAMES]
const DEFAULT_QUEUE = 'default'
/** Larger payloads belong into a store of their own, with their place as the argument. */
export const MAX_PAYLOAD_BYTES = 16 * 1024 * 1024

/** The message of a call. Pure but for the new id. @throws UsageError that names the option, the value and the cure. */
export function buildMessage(
  target: CallTarget,
  args: readonly unknown[],
  options: CallOptions,
  context: CallContext,
): Message {
  const where = `call of '${target.name}'`
  for (const name of Object.keys(options)) {
    if (!NAMES.includes(name)) throw new UsageError(`${where} has no option '${name}'${suggest(name, NAMES) || '.'}`)
  }
  const id = readId(where, options.id)
  const bound = boundArguments(target, args)
  const headers = readHeaders(where, options.headers)
  const own = readTerms(where, options)
  const terms = orTask(where, own, target)
  const route = context.router(target.name, bound)
  const message: Message = {
    v: 1,
    id,
    app: context.app,
    task: target.name,
    args: bound,
    ...(headers === undefined ? {} : { headers }),
    queue: terms.queue ?? route.queue ?? DEFAULT_QUEUE,
    round: 0,
    priority: terms.priority ?? route.priority ?? null,
    publishedAt: Math.round(context.now),
    notBefore: readNotBefore(where, options, context.now),
    expiresAt: readExpires(where, options.expires, context.now),
    maxRetries: readRetries(where, options.retries) ?? target.maxRetries,
    resultMs: terms.ignoreResult ? 0 : (terms.resultMs ?? context.resultMs),
    ...saidByCall(own),
    lock: messageLock({ target, id, bound, once: options.once, where }),
  }
  return refuseTooLarge(where, message)
}

/** What the call says, else what its task does. */
function orTask(where: string, own: ReadTerms, task: ReadTerms): ReadTerms {
  const terms = {
    queue: own.queue ?? task.queue,
    priority: own.priority ?? task.priority,
    timeLimitMs: own.timeLimitMs ?? task.timeLimitMs,
    softTimeLimitMs: own.softTimeLimitMs ?? task.softTimeLimitMs,
    ignoreResult: own.ignoreResult ?? task.ignoreResult,
    resultMs: own.resultMs ?? task.resultMs,
  }
  refuseLateSoftLimit(where, terms)
  return terms
}

/** What the worker needs to know of the call alone: the task's own it has from its code, maybe newer. */
function saidByCall({ timeLimitMs, softTimeLimitMs, ignoreResult }: ReadTerms): Partial<Message> {
  return {
    ...(timeLimitMs === null ? {} : { timeLimitMs }),
    ...(softTimeLimitMs === null ? {} : { softTimeLimitMs }),
    ...(ignoreResult === null ? {} : { ignoreResult }),
  }
}

function messageLock(call: {
  target: CallTarget
  id: string
  bound: unknown[]
  once: CallOnce | undefined
  where: string
}): MessageLock {
  const { target, id, bound } = call
  if (!target.guard) {
    if (call.once !== undefined && target.guard === null && call.once.overlap !== 'allow') {
      throw new UsageError(
        `${call.where}: once needs a task with a lock; '${target.name}' is a plain Task, make it a QueueOnce.`,
      )
    }
    if (call.once !== undefined) readCallOnce(call.once, `${call.where}: once`)
    const known = target.guard === null
    return { ...unguarded(target.name, id), known, overlap: call.once?.overlap ?? (known ? 'allow' : 'skip') }
  }
  const guard = withCall(target.guard, call.once, `${call.where}: once`)
  const { key, label } = keyOf(target, guard, bound)
  if (guard.overlap === 'allow') return { ...unguarded(target.name, id), label }
  return { key, label, known: true, guarded: true, held: holdsAtPublish(guard.mode), ...lockOf(guard) }
}

function unguarded(task: string, id: string): MessageLock {
  const fixed = {
    known: true,
    guarded: false,
    held: false,
    overlap: 'allow',
    keep: 'first',
    maxParked: 1,
    minRunMs: 0,
    timeoutMs: 3_600_000,
    limit: 1,
    mode: 'untilExecuted',
  } as const
  return { key: privateKey(task, id), label: task, ...fixed }
}

function refuseTooLarge(where: string, message: Message): Message {
  const bytes = Buffer.byteLength(encodeMessage(message))
  if (bytes <= MAX_PAYLOAD_BYTES) return message
  throw new UsageError(
    `${where}: its arguments take ${bytes} bytes, more than ${MAX_PAYLOAD_BYTES}; store them and pass their place.`,
  )
}

function readId(where: string, id: unknown): string {
  return id === undefined ? ulid() : requireId(where, id)
}

/** @throws UsageError for what no call can have as its id */
export function requireId(where: string, id: unknown): string {
  if (typeof id === 'string' && /^[A-Za-z0-9._-]{1,100}$/.test(id)) return id
  throw new UsageError(
    `${where}: id must be 1 to 100 of the characters A-Z a-z 0-9 . _ -, got ${printable(JSON.stringify(id) ?? '')}.`,
  )
}

/**
 * The lock of a message whose publisher did not know the task: it never had a hold and meets its policy at delivery.
 * Pure. @throws UsageError when its arguments do not fit the task.
 */
export function lockAtDelivery(task: Signature & { readonly guard: Guard | null }, message: Message): MessageLock {
  if (task.guard === null || message.lock.overlap === 'allow') return { ...message.lock, known: true }
  const { key, label } = keyOf(task, task.guard, boundArguments(task, message.args))
  return { key, label, known: true, guarded: true, held: false, ...lockOf(task.guard), overlap: message.lock.overlap }
}

/** What of a guard travels with each call. */
function lockOf({ overlap, keep, maxParked, minRunMs, timeoutMs, limit, mode }: Guard) {
  return { overlap, keep, maxParked, minRunMs, timeoutMs, limit, mode }
}

function readRetries(where: string, retries: unknown): number | undefined {
  if (retries === undefined) return undefined
  if (retries === Number.POSITIVE_INFINITY) return Number.MAX_SAFE_INTEGER
  if (typeof retries === 'number' && Number.isSafeInteger(retries) && retries >= 0) return retries
  throw new UsageError(`${where}: retries must be a whole number from 0 up, got ${String(retries)}.`)
}

function readNotBefore(where: string, options: CallOptions, now: number): number | null {
  const { countdown, eta } = options
  if (countdown !== undefined && eta !== undefined)
    throw new UsageError(`${where} has both countdown and eta; keep one of them.`)
  if (countdown !== undefined) return Math.round(now + parseDuration(countdown, `${where}: countdown`))
  return eta === undefined ? null : readInstant(`${where}: eta`, eta)
}

function readExpires(where: string, expires: CallOptions['expires'], now: number): number | null {
  if (expires === undefined) return null
  if (expires instanceof Date) return readInstant(`${where}: expires`, expires)
  return Math.round(now + parseDuration(expires, `${where}: expires`, { minMs: 1 }))
}

/** @throws UsageError */
export function readInstant(what: string, instant: unknown): number {
  if (instant instanceof Date && Number.isFinite(instant.getTime())) return instant.getTime()
  throw new UsageError(`${what} must be a valid Date, got ${String(instant)}.`)
}
