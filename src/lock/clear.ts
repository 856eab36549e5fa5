import type { Answer } from './answer.js'
import type { Holder, Promotion } from './hold.js'
import type { LockKey } from './key.js'

export interface ClearRequest {
  readonly key: LockKey
  /** Also discard parked calls. */
  readonly parked: boolean
  /** What to do with a running holder whose lease lives: leave it, have it stopped, or drop its hold unseen. */
  readonly running: 'keep' | 'cancel' | 'drop'
  /** Who clears, for the record. */
  readonly by: string
  readonly publishLeaseMs: number
  readonly resultMs: number
}

/** What became of the session that a holder's barrier hangs on: that of its process, stopped or not. */
export interface SessionEnd {
  /** Message id. */
  readonly holder: string
  readonly worker: string | null
  /** `denied`: this login may not end it. `stayed`: it was told to end and has not within 2 s. Both: the holder is kept. */
  readonly outcome: 'ended' | 'denied' | 'stayed'
  /** So many other barriers hung on it. */
  readonly others: number
}

export interface ClearAnswer extends Answer {
  readonly freed: readonly Holder[]
  /** Told to stop; they keep the key until they have. */
  readonly cancelled: readonly Holder[]
  /** Running and left alone. */
  readonly kept: readonly Holder[]
  /** Message ids of discarded parked calls. */
  readonly discarded: readonly string[]
  /** Sessions of the database whose barrier kept the key though nobody renewed it, or though it was dropped. */
  readonly sessions: readonly SessionEnd[]
  readonly promotion: Promotion | null
}
