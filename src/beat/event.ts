import type { Emitter } from '../lock/emit.js'
import type { Holder } from '../lock/hold.js'
import type { DecisionName } from './schedule-store.js'

/** What beat tells whoever listens. Instants are epoch ms by the store's clock. */
export interface BeatEvents {
  /** The one decision about a slot; told by the beat that made it. */
  readonly 'beat:decided': {
    readonly entry: string
    readonly nominal: number
    readonly decision: Exclude<DecisionName, 'paused'>
    readonly holder: Holder | null
    readonly messageId: string
    /** How long after its nominal time the slot was published. */
    readonly lateMs: number
    /** What went wrong, for the decision `error`; else null. */
    readonly error: Error | null
  }
  /** Slots dropped because nobody was there at their time; a later one runs in their place. */
  readonly 'beat:missed': {
    readonly entry: string
    readonly slots: number
    /** Nominal time of the latest of them. */
    readonly latest: number
    /** False: there were more than were counted. */
    readonly exact: boolean
  }
  /**
   * Told once until it is over. `entry` is null when a server, not one entry, is the trouble; `retryInMs` is null for an
   * entry that is tried again when it is changed.
   */
  readonly 'beat:trouble': { readonly error: Error; readonly entry: string | null; readonly retryInMs: number | null }
  /** This beat does the work from now on, or rests because another does; decides nothing. */
  readonly 'beat:lead': { readonly leads: boolean }
  /**
   * Not in force: what a newer version's code says is in the store, and not what this beat's does, as long as a beat of it
   * lives. Told when that changes; decides nothing about slots.
   */
  readonly 'beat:edition': { readonly inForce: boolean }
  /** The store has gone back to an earlier state: all is read anew, and the configuration merged again. */
  readonly 'beat:wentBack': { readonly revision: number; readonly seen: number }
  /** The trouble with the server is over. */
  readonly 'beat:recovered': { readonly afterMs: number }
}

export type EmitBeat = Emitter<BeatEvents>['emit']
