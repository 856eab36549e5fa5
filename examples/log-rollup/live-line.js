const PLAIN_EVERY_MS = 3000

/** Progress: one line that is written over on a terminal, a plain line now and then elsewhere. */
export class LiveLine {
  /** @type {NodeJS.WriteStream} */
  #out
  #shownAt = Number.NEGATIVE_INFINITY

  /** @param {NodeJS.WriteStream} out */
  constructor(out) {
    this.#out = out
  }

  /** @param {string} text */
  show(text) {
    if (this.#out.isTTY) {
      this.#out.write(`\r\u001b[K${text.slice(0, this.#out.columns - 1)}`)
    } else if (performance.now() - this.#shownAt > PLAIN_EVERY_MS) {
      this.#shownAt = performance.now()
      this.#out.write(`${text}\n`)
    }
  }

  /**
   * A line that stays.
   *
   * @param {string} text
   */
  say(text) {
    this.clear()
    this.#out.write(`${text}\n`)
  }

  clear() {
    if (this.#out.isTTY) this.#out.write('\r\u001b[K')
  }
}
