import type { Answer } from './answer.js'
import type { MessageRef } from './hold.js'
import type { LockKey } from './key.js'
import type { WorkerRow } from './worker-row.js'

export interface Renewal {
  readonly key: LockKey
  readonly messageId: string
  readonly token: number
  readonly leaseMs: number
  readonly limit: number
  readonly label: string
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
