import { AsyncLocalStorage } from 'node:async_hooks'
import type { Duration } from '../lock/duration.js'
import { BeatlockError } from '../lock/error.js'
import type { LockSpace } from '../lock/lock-store.js'
import type { CallTerms } from './call-term.js'
import type { Headers } from './header.js'
import type { Once } from './once.js'
import type { ErrorMatch, RetryFields } from './retry-policy.js'

/** The lock of the present run. */
export interface Lock {
  readonly key: string
  /** Fencing token: grows with every grant of the key. A store that refuses lower ones is safe from late writers. */
  readonly token: number
  /** Where the lock is kept: what `fencedTransaction` and `fencedWrite` go by. */
  readonly space: LockSpace
  /** How long, in ms, this run may still trust its lock; renewed while it lives. */
  remainingMs(): number
}

/** What a running task knows of its run. */
export interface TaskRequest {
  /** The message id: the result's id, and what `locks list` shows as holder. */
  readonly id: string
  /** 1 for the first start; grows with each retry and each redelivery. */
  readonly attempt: number
  /** What the call gave along beside its arguments: the same for every attempt. Frozen; `{}` by default. */
  readonly headers: Headers
  /** Aborted when the lock is lost, the soft limit is reached or the run is cancelled. */
  readonly signal: AbortSignal
  /** Undefined for a call without a lock. */
  readonly lock: Lock | undefined
  readonly log: { info(message: string): void; error(message: string): void }
  /** Says how far the run is, for whoever watches. Never fails, may be dropped. */
  progress(progress: unknown): void
}

/** When a task that asks for it runs again. */
export interface RetryOptions {
  /** After this long. Default: by `retryBackoff`, else `defaultRetryDelay`. */
  readonly countdown?: Duration
  /** Or at this instant. */
  readonly eta?: Date
  /** Why; what the task fails with once it is out of retries. */
  readonly cause?: unknown
}

/** Ends the present run and asks for another. Thrown by {@link Task.retry}; let it pass. */
export class RetryRequested extends BeatlockError {
  readonly options: RetryOptions

  constructor(options: RetryOptions) {
    super('RETRY', 'the task asked for a retry', { cause: options.cause })
    this.options = options
  }
}

/**
 * A named unit of work. A fresh instance for each run, made without arguments; children share no globals with anyone.
 */
export abstract class Task implements CallTerms, RetryFields {
  /** Unique within the app; printable, at most 200 characters. */
  abstract readonly name: string
  /** Names of positional arguments, in order. */
  readonly params?: readonly string[]
  /** Values of absent arguments, for the key and for `run` alike (JavaScript's own defaults cannot be read). */
  readonly defaults?: Readonly<Record<string, unknown>>
  /** How often `retry` may be asked for; then the task fails. `Infinity`: always again. */
  readonly maxRetries: number = 3
  /** @see CallTerms */
  declare readonly queue?: string
  declare readonly priority?: number
  /** The body is killed after this long (SIGKILL to its process group). Default: the worker's `--time-limit`, else none. */
  readonly timeLimit?: Duration
  /** The signal is aborted with `SoftTimeLimitExceeded` after this long. Default: `--soft-time-limit`, else none. */
  readonly softTimeLimit?: Duration
  declare readonly ignoreResult?: boolean
  declare readonly resultExpires?: Duration
  /**
   * False: a message starts once at most, as if it were acknowledged before its body begins. When its process dies it is
   * not run again but failed (`MAX_DELIVERIES`), its key freed at once and the message kept as a dead letter. Retries that
   * the task asks for are new starts, and so is what follows when an operator clears its hold. Default true: it is
   * delivered again, up to three starts.
   */
  declare readonly acksLate?: boolean
  /** Errors after which the task runs again by itself, as if it had called `retry`. Default none. */
  declare readonly autoretryFor?: readonly ErrorMatch[]
  /** Errors after which it does not, though `autoretryFor` has their class. */
  declare readonly dontAutoretryFor?: readonly ErrorMatch[]
  /** How long a retry waits that says nothing itself, where there is no back-off. Default 3 min. */
  declare readonly defaultRetryDelay?: Duration
  /** Retries wait 1 s, 2 s, 4 s …; a duration sets the first. Default false. */
  declare readonly retryBackoff?: boolean | Duration
  /** No retry waits longer by back-off. Default 10 min. */
  declare readonly retryBackoffMax?: Duration
  /** Each back-off is a random time from 0 to what it would be. Default true. */
  declare readonly retryJitter?: boolean
  /** The run at hand. */
  declare readonly request: TaskRequest

  abstract run(...args: never[]): unknown

  /**
   * Ends this run; the message, and with it the lock, stays queued and starts again after `countdown` (default: by
   * `retryBackoff`, else `defaultRetryDelay`). After `maxRetries` retries the task fails with `cause`.
   */
  retry(options: RetryOptions = {}): never {
    throw new RetryRequested(options)
  }
}

/** A task of which one call per key is queued or running at a time. */
export abstract class QueueOnce extends Task {
  readonly once: Once = {}
}

/** Node's own type would make every compiler that reads ours need Node's types. */
interface RequestScope {
  run<T>(request: TaskRequest, body: () => T): T
  getStore(): TaskRequest | undefined
}

/** Carries the request through awaits, for tasks made of plain functions. */
export const requests: RequestScope = new AsyncLocalStorage<TaskRequest>()

/** The request of the task that is running here. @throws BeatlockError `NO_REQUEST` outside of a task. */
export function currentRequest(): TaskRequest {
  const request = requests.getStore()
  if (!request) throw new BeatlockError('NO_REQUEST', 'currentRequest() was called outside of a running task.')
  return request
}
