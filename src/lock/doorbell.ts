/** A wait that can be cut short. A ring while nobody waits is kept for the next wait. */
export class Doorbell {
  #rung = false
  #answer: () => void = () => undefined

  readonly ring = (): void => {
    this.#rung = true
    this.#answer()
  }

  /** Resolves at the next ring, when the signal is aborted, or after `ms`. One wait at a time. */
  async wait(ms: number, signal?: AbortSignal): Promise<void> {
    if (!this.#rung && !signal?.aborted) {
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        timer = setTimeout(resolve, ms)
        this.#answer = resolve
        signal?.addEventListener('abort', this.#aborted)
      })
      clearTimeout(timer)
      signal?.removeEventListener('abort', this.#aborted)
    }
    this.#rung = false
  }

  readonly #aborted = (): void => this.#answer()
}
