/** Wall time that moved this much against monotonic time: the machine slept, or its clock was set. */
const JUMP_MS = 1000

/**
 * An estimate of the store's clock from its own answers and this process's monotonic time, so that a wrong or stepping
 * wall clock here changes nothing. Good to half a round trip; leases are judged by the store itself.
 */
export class ServerClock {
  #offsetMs: number | undefined
  #aheadMs = wallAheadMs()

  /** Notes an answer's `now`. `sentAt` is `performance.now()` before sending. The latest answer counts. */
  observe(serverNow: number, sentAt: number): void {
    this.#offsetMs = serverNow - (sentAt + performance.now()) / 2
    this.#aheadMs = wallAheadMs()
  }

  get known(): boolean {
    return this.#offsetMs !== undefined
  }

  /** Whether the store should be asked again: monotonic time stands still while a machine sleeps, the store's does not. */
  get doubtful(): boolean {
    return Math.abs(wallAheadMs() - this.#aheadMs) > JUMP_MS
  }

  /** Epoch ms as the store would say. Before the first answer this process's own clock. */
  now(): number {
    return this.#offsetMs === undefined ? Date.now() : performance.now() + this.#offsetMs
  }
}

function wallAheadMs(): number {
  return Date.now() - performance.now()
}
