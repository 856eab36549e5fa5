import type { Answer } from './answer.js'
import type { Doubt } from './doubt.js'
import type { Holder, HoldTerms, MessageRef, Promotion, Stage } from './hold.js'
import type { FinalOutcome, OutcomeRecord } from './outcome.js'
import type { DeliveryInstruction, Instruction } from './overlap.js'

export interface AcquireRequest extends MessageRef {
  readonly terms: HoldTerms
  readonly whenHeld: Instruction
  /** How long a `publishing` or `promoting` hold waits for its confirmation, in ms. */
  readonly publishLeaseMs: number
  /** The whole message text, kept if the call is parked. */
  readonly message: string
  /** How long the outcome of a coalesced call is kept, in ms. */
  readonly resultMs: number
}

export type AcquireAnswer = Answer &
  /** `replaced`: the messages that this one ended by taking their place; only where there are any. */
  (
    | { readonly outcome: 'granted'; readonly replaced?: readonly string[] }
    /** The message already has its hold and is past publishing. */
    | { readonly outcome: 'repeated'; readonly stage: Stage }
    | { readonly outcome: 'parked'; readonly behind: Holder; readonly replaced?: readonly string[] }
    | { readonly outcome: 'coalesced'; readonly into: string; readonly behind: Holder }
    | {
        readonly outcome: 'refused'
        readonly holder: Holder
        readonly remainingMs: number
        readonly doubt: Doubt | null
        /** As many calls are parked as the policy allows. */
        readonly full: boolean
      }
    | { readonly outcome: 'finished'; readonly record: OutcomeRecord }
  )

/** Ask to run a delivered message. `owner` names this attempt: asking again with it gives the same answer. */
export interface RunStep extends MessageRef {
  readonly to: 'running'
  readonly terms: HoldTerms
  readonly owner: string
  readonly worker: string
  readonly barrier: 'none' | 'session' | 'quorum'
  /** The permit this run wants, 0 … limit − 1: chosen by the caller, who already holds its barrier. */
  readonly slot: number
  readonly leaseMs: number
  readonly lockDelayMs: number
  /** How many starts without an end before the message is given up. */
  readonly maxDeliveries: number
  /** Epoch ms by the store's clock of the publish. */
  readonly publishedAt: number
  readonly whenHeld: DeliveryInstruction
  /** For `replace`: a holder that has run for less is waited for, not cancelled. */
  readonly minRunMs: number
  readonly publishLeaseMs: number
  readonly resultMs: number
}

export type RunAnswer = Answer &
  (
    | {
        readonly outcome: 'granted'
        readonly token: number
        /** Starts since the last retry, this one included. */
        readonly deliveries: number
        /** Retries asked for by the task so far. */
        readonly retries: number
        readonly expiresAt: number
        /** The parked call that has its turn because this start gave a place up. */
        readonly promotion: Promotion | null
      }
    /** The message has its place; another run has this slot. `taken`: all slots in use. Nothing changed. */
    | {
        readonly outcome: 'slotTaken'
        readonly taken: readonly number[]
        readonly holder: Holder
        readonly remainingMs: number
      }
    | { readonly outcome: 'early'; readonly remainingMs: number }
    /**
     * It could start, but the store has lost data: a run that nothing is known of may still have the key. The message has
     * its place meanwhile, unless its mode gives it none before it runs.
     */
    | { readonly outcome: 'recovering'; readonly remainingMs: number }
    | { readonly outcome: 'refused'; readonly holder: Holder; readonly remainingMs: number }
    /** Ended here and now, its outcome is recorded: coalesced, skipped, or failed with MAX_DELIVERIES. */
    | { readonly outcome: 'ended'; readonly record: OutcomeRecord; readonly promotion: Promotion | null }
    | { readonly outcome: 'finished'; readonly record: OutcomeRecord }
  )

/** Give a running hold back to its own message: for a retry, or because its process died. */
export interface RequeueStep extends MessageRef {
  readonly to: 'queued'
  readonly token: number
  /** `unstarted`: no body ran after all, so the start counts for nothing. */
  readonly reason: 'retry' | 'redelivery' | 'unstarted'
  readonly delayMs: number
  readonly maxDeliveries: number
  readonly publishLeaseMs: number
  readonly resultMs: number
}

export type RequeueAnswer = Answer &
  (
    | { readonly outcome: 'queued'; readonly notBefore: number }
    /** Given up (MAX_DELIVERIES) or cancelled meanwhile: the outcome is recorded and the key handed on. */
    | { readonly outcome: 'ended'; readonly record: OutcomeRecord; readonly promotion: Promotion | null }
    | { readonly outcome: 'finished'; readonly record: OutcomeRecord }
    | { readonly outcome: 'stale' }
  )

/** End a message. `token` is the run's, or null for a message that is not running (expired, unknown task …). */
export interface ReleaseRequest extends MessageRef {
  readonly token: number | null
  readonly outcome: FinalOutcome
  readonly code: string | null
  readonly result: string | null
  readonly error: string | null
  readonly publishLeaseMs: number
  readonly resultMs: number
}

export type ReleaseAnswer = Answer &
  (
    | {
        readonly outcome: 'released'
        readonly record: OutcomeRecord
        readonly promotion: Promotion | null
        /** An earlier asking had ended it. */
        readonly again: boolean
      }
    /** Already ended under another token, or by another hand: nothing changed. */
    | { readonly outcome: 'finished'; readonly record: OutcomeRecord }
    /** The token is not, or no longer, the one that holds: nothing changed. */
    | { readonly outcome: 'stale' }
  )
