import type { Holder } from '../lock/hold.js'
import type { CatchUp } from './misfire.js'
import type { DecisionName } from './schedule-store.js'
import type { Timetable } from './slot.js'

/** A line of the timetable, as beat sees it. `payload` is what `fire` publishes; beat does not look into it. */
export interface BeatEntry<Payload> extends Timetable {
  /** Default: the latest, however late. */
  readonly catchUp?: CatchUp
  /** Pause the entry when a run of its last slots has failed for good. */
  readonly pauseOnFailure?: boolean
  /** `fire` asks the user's code for it, which may be slow. Default false. */
  readonly asksCode?: boolean
  readonly payload: Payload
}

/** A claimed slot on its way to the engine. */
export interface Slot {
  /** The time the slot is for, epoch ms. */
  readonly nominal: number
  /** The same for every beat, so that a second publish of the slot is a no-op. */
  readonly messageId: string
  /** `performance.now()` of this process after which nothing may be sent for this claim: another beat may hold it by then. */
  readonly publishBefore: number
}

export interface FireAnswer {
  readonly decision: Exclude<DecisionName, 'missed' | 'paused' | 'error'>
  /** Who stood in the way. */
  readonly holder: Holder | null
}

/**
 * Publishes a slot through the same guard as everyone, and says what came of it. Called again with the same slot after
 * ServerUnavailable or PublishUnknown, which mean that nothing is known; any other error is the slot's decision `error`.
 */
export type Fire<Payload> = (entry: BeatEntry<Payload>, slot: Slot) => Promise<FireAnswer>
