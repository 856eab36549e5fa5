/**
 * An estimate of the store's clock from its own answers and this process's monotonic time, so that a wrong or stepping
 * wall clock here changes nothing. Good to half a round trip; leases are judged by the store itself.
 */
export class ServerClock {
  #offsetMs: number | undefined

  /** Notes an answer's `now`. `sentAt` is `performance.now()` before sending. The latest answer counts. */
  observe(serverNow: number, sentAt: number): void {
    this.#offsetMs = serverNow - (sentAt + performance.now()) / 2
  }

  get known(): boolean {
    return this.#offsetMs !== undefined
  }

  /** Epoch ms as the store would say. Before the first answer this process's own clock. */
  now(): number {
    return this.#offsetMs === undefined ? Date.now() : performance.now() + this.#offsetMs
  }
}
