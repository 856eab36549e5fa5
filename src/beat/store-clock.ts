/** Answers that are compared; an attendance each half second makes that some seconds. */
const KEPT = 16
/** More than requests take: the clock was set. */
const STEP_MS = 5_000

/**
 * The store's clock as a beat goes by it: never ahead of it. When an answer is here the store's clock is at least what the answer
 * says, and of several answers the quickest tells the most. A beat that estimated better, and at times too high, would
 * drop a slot as missed before its time.
 */
export class StoreClock {
  readonly #monotonic: () => number
  #offsets: number[] = []
  #offset: number | undefined

  constructor(monotonic: () => number = () => performance.now()) {
    this.#monotonic = monotonic
  }

  /** To be told as soon as the answer is here. */
  observe(storeNow: number): void {
    const offset = storeNow - this.#monotonic()
    if (Math.abs(offset - (this.#offset ?? offset)) > STEP_MS) this.#offsets = []
    this.#offsets.push(offset)
    if (this.#offsets.length > KEPT) this.#offsets.shift()
    this.#offset = Math.max(...this.#offsets)
  }

  /** Epoch ms. Before the first answer this process's own clock. */
  now(): number {
    return this.#offset === undefined ? Date.now() : this.#monotonic() + this.#offset
  }
}
