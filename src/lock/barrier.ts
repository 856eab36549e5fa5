import type { LockKey } from './key.js'

/** One seat of one key. With a limit of N the seats are 0 … N−1. */
export interface Seat {
  readonly key: LockKey
  readonly slot: number
}

/**
 * What a running lease must also hold, where there is a barrier: a second, independent proof that nobody else runs.
 * One connection a worker, whatever the number of tasks.
 */
export interface Barrier {
  readonly kind: 'session' | 'quorum'
  /** Tries a few times within some 20 ms, never waits. A seat this process already holds is refused (re-entrancy). */
  take(seat: Seat): Promise<'taken' | 'refused'>
  /** Prolongs what has a lease of its own; answers the seats that are lost. A session barrier has nothing to prolong. */
  extend(seats: readonly Seat[]): Promise<readonly Seat[]>
  /** Only once the body is seen to have ended. Dropping a seat that is not held does nothing. */
  drop(seat: Seat): Promise<void>
  /** Told once for each seat that was held and could not be kept (connection lost and not taken again in time). */
  onLost(listener: (seat: Seat) => void): void
  close(): Promise<void>
}
