import { AsyncLocalStorage } from 'node:async_hooks'
import type { Duration } from '../lock/duration.js'
import { BeatlockError } from '../lock/error.js'
import type { Headers } from './header.js'
import type { Once } from './once.js'

/** The lock of the present run. */
export interface Lock {
  readonly key: string
  /** Fencing token: grows with every grant of the key. A store that refuses lower ones is safe from late writers. */
  readonly token: number
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

/** Ends the present run and asks for another. Thrown by {@link Task.retry}; let it pass. */
export class RetryRequested extends BeatlockError {
  readonly countdown: Duration

  constructor(countdown: Duration, cause: unknown) {
    super('RETRY', 'the task asked for a retry', { cause })
    this.countdown = countdown
  }
}

/** Celery's default. @see https://docs.celeryq.dev/en/stable/userguide/tasks.html#Task.default_retry_delay */
const DEFAULT_COUNTDOWN: Duration = '3m'

/**
 * A named unit of work. A fresh instance for each run, made without arguments; children share no globals with anyone.
 */
export abstract class Task {
  /** Unique within the app; printable, at most 200 characters. */
  abstract readonly name: string
  /** Names of positional arguments, in order. */
  readonly params?: readonly string[]
  /** Values of absent arguments, for the key and for `run` alike (JavaScript's own defaults cannot be read). */
  readonly defaults?: Readonly<Record<string, unknown>>
  /** How often `retry` may be asked for; then the task fails. */
  readonly maxRetries: number = 3
  /** The body is killed after this long (SIGKILL to its process group). Default: no limit. */
  readonly timeLimit?: Duration
  /** The signal is aborted with `SoftTimeLimitExceeded` after this long. Default: no limit. */
  readonly softTimeLimit?: Duration
  /** The run at hand. */
  declare readonly request: TaskRequest

  abstract run(...args: never[]): unknown

  /**
   * Ends this run; the message, and with it the lock, stays queued and starts again after `countdown` (default 3 min).
   * After `maxRetries` retries the task fails with `cause`.
   */
  retry(options: { countdown?: Duration; cause?: unknown } = {}): never {
    throw new RetryRequested(options.countdown ?? DEFAULT_COUNTDOWN, options.cause)
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
