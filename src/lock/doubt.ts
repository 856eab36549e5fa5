import type { Answer } from './answer.js'
import type { MessageRef, Promotion } from './hold.js'
import type { OutcomeRecord } from './outcome.js'

/**
 * A hold that only the engine can settle: its publisher fell silent, or its runner's lease and lock delay are over. A
 * sweep never doubts a queued one; whoever found it in the way for long may (`token`: null).
 */
export interface Doubt extends MessageRef {
  readonly stage: 'publishing' | 'running' | 'queued'
  readonly token: number | null
  readonly queue: string
}

export interface SweepAnswer extends Answer {
  readonly promotions: readonly Promotion[]
  readonly doubts: readonly Doubt[]
  /** The store has lost data, and withholds starts for so long; only where it does. */
  readonly recoveringMs?: number
}

/** Where the engine has a message. */
export type EngineState = 'waiting' | 'delayed' | 'active' | 'finished' | 'absent'

export interface ResolveRequest {
  readonly doubt: Doubt
  readonly state: EngineState
  readonly maxDeliveries: number
  /** How long a queued message must be missing, from one look to a later one, to end as `purged`. Default: 2,000 ms. */
  readonly missingMs?: number
  readonly publishLeaseMs: number
  readonly resultMs: number
}

export type ResolveAnswer = Answer &
  (
    | { readonly outcome: 'queued' }
    /** `record`: how its message ended; null where it was never published. */
    | { readonly outcome: 'freed'; readonly record: OutcomeRecord | null; readonly promotion: Promotion | null }
    /** No longer in doubt, its barrier is still held, or queued and missing for the first time: it has its place. */
    | { readonly outcome: 'kept' }
  )
