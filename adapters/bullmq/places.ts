/** A bounded number of places over several queues, given in the order asked for. */
export class Places {
  #size: number
  /** Below 0: so many more are taken than there are since it shrank. */
  #free: number
  #closed = false
  readonly #waiting = new Set<(got: boolean) => void>()

  constructor(size: number) {
    this.#size = size
    this.#free = size
  }

  /** True: a place is taken until `give`. False: none came free in time, or the places are closed. */
  take(patienceMs: number): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false)
    if (this.#free > 0) {
      this.#free -= 1
      return Promise.resolve(true)
    }
    return new Promise((resolve) => {
      const settle = (got: boolean): void => {
        clearTimeout(timer)
        this.#waiting.delete(settle)
        resolve(got)
      }
      const timer = setTimeout(settle, patienceMs, false)
      this.#waiting.add(settle)
    })
  }

  give(): void {
    const [next] = this.#waiting
    if (next && this.#free >= 0) next(true)
    else this.#free += 1
  }

  /** More places are given at once; fewer, as they are given back. */
  resize(size: number): void {
    this.#free += size - this.#size
    this.#size = size
    for (const next of this.#waiting) {
      if (this.#free <= 0) return
      this.#free -= 1
      next(true)
    }
  }

  /** How many wait for a place. */
  get waiting(): number {
    return this.#waiting.size
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Places are given again. */
  open(): void {
    this.#closed = false
  }

  /** Nobody gets a place any more. */
  close(): void {
    this.#closed = true
    this.dismiss()
  }

  /** Who waits gets none. */
  dismiss(): void {
    for (const settle of this.#waiting) settle(false)
  }
}
