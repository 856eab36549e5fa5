import type { LockKey } from '../lock/key.js'

/**
 * Ends that are being written down, by key. Its body gone, a run's place may be another message's; one of the same key
 * would only find that key held, and be put back for long.
 */
export class Endings {
  readonly #last = new Map<LockKey, Promise<unknown>>()
  readonly #patienceMs: number

  /** `patienceMs`: how long a message waits, in its place, at most: an end may wait for a server. */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs
  }

  add(key: LockKey, end: Promise<unknown>): void {
    const last = Promise.allSettled([this.#last.get(key), end]).then(() => {
      if (this.#last.get(key) === last) this.#last.delete(key)
    })
    this.#last.set(key, last)
  }

  /** Resolves once all that were added so far are over, or patience is: the store then says how things are. */
  async over(key: LockKey): Promise<void> {
    const last = this.#last.get(key)
    if (!last) return
    let timer: NodeJS.Timeout | undefined
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, this.#patienceMs)
    })
    await Promise.race([last, late])
    clearTimeout(timer)
  }
}
