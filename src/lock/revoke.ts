import type { Answer } from './answer.js'
import type { Holder, Promotion } from './hold.js'
import type { LockKey } from './key.js'
import type { OutcomeRecord } from './outcome.js'

/** Take one call back. `round`: of the message, where nothing of it is known. */
export interface RevokeRequest {
  /** Null: found by its message id, as far as the store knows it. A round that was reopened is followed by the next. */
  readonly key: LockKey | null
  readonly messageId: string
  readonly round: number
  /** Also stop it if it runs. */
  readonly terminate: boolean
  readonly by: string
  readonly publishLeaseMs: number
  readonly resultMs: number
}

export type RevokeAnswer = Answer &
  /** It will not run: a delivery that still comes is answered `finished`. */
  (
    | {
        readonly outcome: 'revoked'
        readonly key: LockKey
        readonly record: OutcomeRecord
        readonly promotion: Promotion | null
        /** An earlier asking had taken it back. */
        readonly again: boolean
      }
    /** It runs and was told to stop; its outcome is written when it has. */
    | { readonly outcome: 'cancelled'; readonly holder: Holder }
    /** It runs and was left alone. */
    | { readonly outcome: 'running'; readonly holder: Holder }
    | { readonly outcome: 'finished'; readonly record: OutcomeRecord }
    /** Asked for without a key, and nothing is known of the message. */
    | { readonly outcome: 'unknown' }
  )
