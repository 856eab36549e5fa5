import type { CallOptions } from './call.js'
import type { Result } from './result.js'

/** How a registered task is called. */
export interface TaskHandle<A extends readonly unknown[], R> {
  readonly name: string
  /** Publishes a call. Resolves when message or parked call is durable. @throws AlreadyQueued, ParkedFull, UsageError, StoreUnavailable, PublishUnknown */
  delay(...args: A): Promise<Result<R>>
  applyAsync(args: A, options?: CallOptions): Promise<Result<R>>
  /** The call as a value. */
  s(...args: A): Signature
}

/** A call for later: what `addPeriodicTask` takes. */
export interface Signature {
  readonly task: string
  readonly args: readonly unknown[]
}
