import type { LockKey } from './key.js'
import type { Mode } from './mode.js'

/** `publishing → queued → running`, and back to `queued` for a retry or redelivery; `promoting` for a parked call. */
export type Stage = 'publishing' | 'promoting' | 'queued' | 'running' | 'cooling'

/** Why a running hold was told to stop; its message ends with this outcome. */
export type CancelledHow = 'cleared' | 'replaced' | 'revoked'

/** The name of a hold until it runs: which message, which round of it (raised when a dead letter is queued again). */
export interface MessageRef {
  readonly key: LockKey
  readonly messageId: string
  readonly round: number
}

/** What the record keeps about a hold, from its publish to its end. */
export interface HoldTerms {
  readonly task: string
  /** For operators: task and key arguments, without control characters; hidden arguments are already hidden here. */
  readonly label: string
  /** The queue that carries the message. */
  readonly queue: string
  /** How many holders the asker allows: its own grant is judged by it, whatever the holders were granted under. */
  readonly limit: number
  readonly mode: Mode
  /** How long the call may hold the key without running, in ms. */
  readonly timeoutMs: number
  /** False for the private key of a call that has no lock: such records are not listed. */
  readonly guarded: boolean
  /** Epoch ms by the store's clock, or null: not to be started before. */
  readonly notBefore: number | null
  /** Epoch ms by the store's clock, or null: worthless after. */
  readonly expiresAt: number | null
}

/** Who has a key, as others see it. Instants are epoch ms by the store's clock. */
export interface Holder {
  readonly id: string
  readonly stage: Stage
  readonly worker: string | null
  /** When this stage began. */
  readonly since: number
  readonly token: number | null
}

/** A parked call whose turn has come: whoever gets this publishes `message` and confirms. Repeating it is harmless. */
export interface Promotion extends MessageRef {
  /** The whole message as the publisher wrote it. */
  readonly message: string
}

/** What ends a hold without an outcome of its message; the message passes the guard again if it is delivered. */
export interface HoldEvent {
  /** Epoch ms by the store's clock. */
  readonly at: number
  /** `lapsed`: waited longer than its timeout. `cleared`: by an operator. `unpublished`: never reached the engine.
   * `displaced`: a run that had outlived a loss of data took its place. */
  readonly event: 'lapsed' | 'cleared' | 'unpublished' | 'displaced'
  readonly messageId: string
  /** Who did it, where somebody did. */
  readonly by: string | null
}
