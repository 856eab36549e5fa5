// Its package has types, but not where a modern resolution looks for them: what is used of it here. They stay inside:
// no exported signature names them, since whoever imports this package would not find them.
declare module 'redlock' {
  import type { Redis } from 'ioredis'

  export interface ExecutionStats {
    readonly membershipSize: number
    readonly quorumSize: number
    readonly votesFor: ReadonlySet<Redis>
    readonly votesAgainst: ReadonlyMap<Redis, Error>
  }

  /** A node's own "no", as opposed to its silence. */
  export class ResourceLockedError extends Error {}

  export class ExecutionError extends Error {
    readonly attempts: readonly Promise<ExecutionStats>[]
  }

  export class Lock {
    readonly resources: readonly string[]
    readonly value: string
    readonly attempts: readonly Promise<ExecutionStats>[]
    constructor(
      redlock: Redlock,
      resources: readonly string[],
      value: string,
      attempts: readonly Promise<ExecutionStats>[],
      expiration: number,
    )
    release(): Promise<unknown>
  }

  export default class Redlock {
    constructor(clients: readonly Redis[], settings: { readonly retryCount: number })
    on(event: 'error', listener: (error: Error) => void): this
    acquire(resources: readonly string[], durationMs: number): Promise<Lock>
    /** Answers a new object; refuses by its own wall clock, before asking anyone, one that has expired. */
    extend(lock: Lock, durationMs: number): Promise<Lock>
    release(lock: Lock): Promise<unknown>
  }
}
