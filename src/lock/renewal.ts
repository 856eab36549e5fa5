import type { Answer } from './answer.js'
import type { HoldTerms, MessageRef } from './hold.js'
import type { LockKey } from './key.js'
import type { WorkerRow } from './worker-row.js'

export interface Renewal {
  readonly key: LockKey
  readonly messageId: string
  readonly token: number
  readonly leaseMs: number
  readonly limit: number
  readonly label: string
  /** What makes the hold anew where the store lost its data; without it a hold that is gone is lost. */
  readonly claim?: Claim
}

/** A run as the store granted it. */
export interface Claim {
  readonly round: number
  readonly terms: HoldTerms
  readonly owner: string
  readonly worker: string
  readonly barrier: 'none' | 'session' | 'quorum'
  readonly slot: number
  readonly lockDelayMs: number
  readonly deliveries: number
  readonly retries: number
}

export type RenewalAnswer =
  | { readonly outcome: 'renewed'; readonly expiresAt: number }
  /** `ended`: the lease ran out or the hold is gone; `taken`: a higher token; `cancelled`: cleared, replaced or revoked. */
  | { readonly outcome: 'lost'; readonly reason: 'ended' | 'taken' | 'cancelled' }
  /** Could not be looked at now; neither renewed nor lost. */
  | { readonly outcome: 'busy' }

export interface RenewBatch {
  readonly worker: WorkerRow | null
  readonly leases: readonly Renewal[]
  /** Finished messages that the engine has acknowledged: their outcomes need no longer outlive a redelivery. */
  readonly acked: readonly MessageRef[]
}

export interface RenewAnswer extends Answer {
  /** One a lease, in the order asked. */
  readonly leases: readonly RenewalAnswer[]
}
