import { Places } from './places.js'

/** Messages are taken ahead while the mean delivery is shorter: what waits here then soon has a place. */
const SHORT_MS = 10
/** A longer delivery counts as one of this: after it some twenty short ones are short again. */
const LONG_MS = 100
/** Of one delivery in the mean. */
const WEIGHT = 1 / 8
/** How long a message waits, taken, for a place that another queue's has; then another consumer may take it. */
const PATIENCE_MS = 500
/** No place came free for so long: deliveries that have just been short are long now, and what was taken ahead goes back. */
const STALL_MS = 50

/** The places of a consumer, and how many messages it takes for them: while deliveries are short, as many again. */
export class Hands {
  readonly #places: Places
  readonly #changed: (width: number) => void
  #size: number
  #meanMs = LONG_MS
  #givenAt = 0
  #watch: NodeJS.Timeout | undefined

  /** `changed` is told of another {@link width} that came of itself. */
  constructor(size: number, changed: (width: number) => void) {
    this.#size = size
    this.#places = new Places(size)
    this.#changed = changed
  }

  /** How many messages may be taken and not acknowledged. */
  get width(): number {
    return this.#ahead ? 2 * this.#size : this.#size
  }

  get closed(): boolean {
    return this.#places.closed
  }

  /** What gives the place back, once. Undefined: none came free in time, or the places are closed. */
  async take(): Promise<(() => void) | undefined> {
    const taking = this.#places.take(PATIENCE_MS)
    if (this.#ahead && this.#places.waiting > 0) this.#watchStall()
    return (await taking) ? this.#hold() : undefined
  }

  resize(size: number): void {
    this.#size = size
    this.#places.resize(size)
  }

  open(): void {
    this.#places.open()
  }

  close(): void {
    this.#places.close()
  }

  /** One place has no message ahead: its messages keep their order. */
  get #ahead(): boolean {
    return this.#meanMs < SHORT_MS && this.#size > 1
  }

  #hold(): () => void {
    const since = performance.now()
    let held = true
    return () => {
      if (!held) return
      held = false
      this.#givenAt = performance.now()
      const tookMs = Math.min(this.#givenAt - since, LONG_MS)
      this.#note(this.#meanMs + (tookMs - this.#meanMs) * WEIGHT)
      this.#places.give()
    }
  }

  #watchStall(): void {
    this.#watch ??= setTimeout(() => {
      this.#watch = undefined
      if (!this.#ahead || this.#places.waiting === 0) return
      if (performance.now() - this.#givenAt < STALL_MS) return this.#watchStall()
      this.#note(LONG_MS)
      this.#places.dismiss()
    }, STALL_MS).unref()
  }

  #note(meanMs: number): void {
    const { width } = this
    this.#meanMs = meanMs
    if (this.width !== width) this.#changed(this.width)
  }
}
