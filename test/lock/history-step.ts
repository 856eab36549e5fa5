import type { EngineState } from '../../src/lock/doubt.js'
import type { Mode } from '../../src/lock/mode.js'
import type { FinalOutcome } from '../../src/lock/outcome.js'
import type { DeliveryInstruction, Instruction } from '../../src/lock/overlap.js'

/** What the calls of one history ask with: message n takes the n-th of each, in turn. */
export interface World {
  readonly modes: readonly Mode[]
  readonly limits: readonly number[]
}

/** One thing that may happen to a key. `back` picks one of the tokens granted so far, the newest first. */
export type Step =
  | {
      readonly do: 'acquire'
      readonly id: number
      readonly whenHeld: Instruction
      readonly expiresInMs: number | null
    }
  | { readonly do: 'confirm'; readonly id: number }
  | {
      readonly do: 'run'
      readonly id: number
      readonly owner: number
      readonly slot: number
      readonly whenHeld: DeliveryInstruction
    }
  | { readonly do: 'renew'; readonly back: number }
  | {
      readonly do: 'requeue'
      readonly back: number
      readonly reason: 'retry' | 'redelivery'
      readonly delayMs: number
    }
  | { readonly do: 'release'; readonly back: number }
  | { readonly do: 'end'; readonly id: number; readonly outcome: FinalOutcome }
  | { readonly do: 'sweep'; readonly state: EngineState }
  | { readonly do: 'clear'; readonly parked: boolean; readonly running: 'keep' | 'cancel' | 'drop' }
  | { readonly do: 'revoke'; readonly id: number; readonly terminate: boolean }
  | { readonly do: 'wait'; readonly ms: number }
  /** The server writes its data down, as a replica has it. */
  | { readonly do: 'save' }
  /** The server loses its data: all, or what came after it was saved last. */
  | { readonly do: 'lose'; readonly what: 'all' | 'latest' }

/** The n-th of what repeats. */
export function inTurn<T>(all: readonly T[], n: number): T {
  return all[n % all.length] as T
}
