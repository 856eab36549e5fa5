import type { LockKey } from '../lock/key.js'

/**
 * Ends that are being written down, by key. Its body gone, a run's place may be another message's; one of the same key
 * would only find that key held, and be put back for long.
 */
export class Endings {
  readonly #last = new Map<LockKey, Promise<unknown>>()

  add(key: LockKey, end: Promise<unknown>): void {
    const last = Promise.allSettled([this.#last.get(key), end]).then(() => {
      if (this.#last.get(key) === last) this.#last.delete(key)
    })
    this.#last.set(key, last)
  }

  /** Resolves once all that were added so far are over; undefined: none is under way. Never rejects. */
  of(key: LockKey): Promise<unknown> | undefined {
    return this.#last.get(key)
  }
}
