import type { Seat } from './barrier.js'
import type { MessageRef } from './hold.js'
import type { HeldLease, Loss } from './lease-keeper.js'
import type { LockSource } from './lock-store.js'
import type { WorkerRow } from './worker-row.js'

/** What the keeper thread is born with. */
export interface KeeperThreadData {
  readonly source: LockSource
  readonly barrier: LockSource | undefined
  readonly leaseMs: number
  readonly worker: WorkerRow | null
  readonly path: string
  readonly ticketKey: Uint8Array
  /** See LeaseBoard. */
  readonly board: SharedArrayBuffer
}

/** Eight bytes shared with the thread that renews, for a lease that found no room on the board. Monotonic ns. */
export type DeadlineCell = BigInt64Array<SharedArrayBuffer>

/** To the keeper thread. */
export type KeeperOrder =
  | { readonly do: 'hold'; readonly lease: HeldLease; readonly cell: DeadlineCell }
  | { readonly do: 'drop'; readonly runId: string }
  | { readonly do: 'look' }
  | { readonly do: 'acked'; readonly refs: readonly MessageRef[] }
  | { readonly do: 'worker'; readonly row: WorkerRow | null }
  | { readonly do: 'renew' }
  | { readonly do: 'seat'; readonly ask: number; readonly verb: 'take' | 'drop'; readonly seat: Seat }
  | { readonly do: 'close' }

/** From the keeper thread. */
export type KeeperNews =
  | { readonly news: 'ready' }
  | { readonly news: 'failed'; readonly error: ThreadError }
  | { readonly news: 'lost'; readonly loss: Loss }
  | { readonly news: 'trouble'; readonly error: ThreadError }
  /** Of the barrier: to the order with this number. */
  | { readonly news: 'seated'; readonly ask: number; readonly answer: 'taken' | 'refused' | 'dropped' }
  | { readonly news: 'unseated'; readonly ask: number; readonly error: ThreadError }

/** An error between threads: a structured clone keeps neither class nor code. */
export interface ThreadError {
  readonly name: string
  readonly message: string
  readonly code: string | undefined
  readonly server: string | undefined
}

export function asThreadError(error: unknown): ThreadError {
  const { name, message, code, server } = (error instanceof Error ? error : new Error(String(error))) as Error & {
    code?: unknown
    server?: unknown
  }
  return {
    name,
    message,
    code: typeof code === 'string' ? code : undefined,
    server: typeof server === 'string' ? server : undefined,
  }
}
