import type { LockSpace } from '../lock/lock-store.js'

/** One run of a task's body, as the parent hands it to a child. */
export interface BodyRequest {
  /** Names this run between parent and child; unique in this process. */
  readonly runId: string
  /** The whole message, as {@link encodeMessage} wrote it. */
  readonly message: string
  /** The token of the run's lease, or null where no lease is held. */
  readonly token: number | null
  /** Where that lease is kept. */
  readonly space: LockSpace
  /** Starts since the last retry, this one included. */
  readonly deliveries: number
  /** Retries asked for by the task so far. */
  readonly retries: number
  /** Until when the lease is trusted: monotonic ns, shared by all processes of a host. Null: no lease to lose. */
  readonly deadlineNs: bigint | null
  /** After this many ms the body is aborted with SoftTimeLimitExceeded; null: no bound. */
  readonly softLimitMs: number | null
  /** After this many ms the body's process group is killed; null: no bound. */
  readonly hardLimitMs: number | null
}

/** Which attempt of its message a body is, from 1: starts that did not end count, and so do retries. */
export function attemptOf({ retries, deliveries }: Pick<BodyRequest, 'retries' | 'deliveries'>): number {
  return Math.max(1, retries + deliveries)
}

/** How a body ended by itself. */
export type BodyVerdict =
  /** `result`: JSON text of what it returned, or null for undefined. */
  | { readonly end: 'returned'; readonly result: string | null }
  /** `error`: JSON text of a {@link CarriedError}. `code`: where the body did not just throw an error of its own. */
  | { readonly end: 'threw'; readonly error: string; readonly code?: 'SOFT_TIME_LIMIT' | 'BAD_RESULT' }
  /** It asked to run again after `countdownMs`; `error`: why, as above, or null. */
  | { readonly end: 'retry'; readonly countdownMs: number; readonly error: string | null }

/** Why a body's process was ended. `crashed`: by itself, or by someone else. */
export type KillReason = 'time_limit' | 'lost' | 'cancelled' | 'crashed' | 'shutdown'

/** Why a body never began. `no child`: no process for it came in time. */
export type UnstartedReason = 'no child' | 'lost' | 'cancelled' | 'shutdown'

/** How a run ended. After it, nothing of the body's process group runs any more. */
export type BodyEnd =
  | BodyVerdict
  /** The body never began: its start counts for nothing. */
  | { readonly end: 'unstarted'; readonly why: UnstartedReason }
  | {
      readonly end: 'killed'
      readonly why: KillReason
      /** Signal or exit code, and the last line that the child wrote to stderr. */
      readonly detail: string
      /** When the exit was seen, monotonic ns. */
      readonly exitSeenNs: bigint
    }
