import type { LockKey } from './key.js'

/** One seat of one key. With a limit of N the seats are 0 … N−1. */
export interface Seat {
  readonly key: LockKey
  readonly slot: number
}

/** A seat that a run has, and when it was asked for: its trust counts from there. */
export interface TakenSeat extends Seat {
  /** Monotonic ns before it was asked for. */
  readonly askedNs: bigint
}

/**
 * What became of a seat that was to be prolonged. `lost`: a quorum says that it is not ours; `unanswered`: too few said
 * anything, what was promised before stands; `dropped`: it was given back meanwhile.
 */
export type SeatAnswer = 'extended' | 'lost' | 'unanswered' | 'dropped'

/**
 * What a running lease must also hold, where there is a barrier: a second, independent proof that nobody else runs.
 * One connection a worker (of a quorum: one to each node), whatever the number of tasks.
 */
export interface Barrier {
  readonly kind: 'session' | 'quorum'
  /**
   * Tries a few times within some 20 ms, never waits. A seat this process already holds is refused (re-entrancy).
   *
   * @throws StoreUnavailable where nobody can say: never `refused`
   */
  take(seat: Seat): Promise<'taken' | 'refused'>
  /** Prolongs what has a lease of its own: one answer a seat, in order. A session barrier has nothing to prolong. */
  extend(seats: readonly Seat[]): Promise<readonly SeatAnswer[]>
  /** Only once the body is seen to have ended. Dropping a seat that is not held does nothing. */
  drop(seat: Seat): Promise<void>
  /**
   * Told once for each seat that was held and could not be kept (connection lost and not taken again in time). Seats that
   * have a lease of their own are told as lost by `extend`.
   */
  onLost(listener: (seat: Seat) => void): void
  close(): Promise<void>
}

/** What runs need of a barrier. */
export type RunBarrier = Pick<Barrier, 'kind' | 'take' | 'drop'>
