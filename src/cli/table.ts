import { printable, shortened } from '../lock/printable.js'

const GAP = '  '
const NARROWEST_FIRST = 16

/**
 * Lays rows out in columns that keep their widths over several calls, so that a long list can be printed in pieces.
 * With a `width` the first column is cut so that lines fit; without, nothing is.
 */
export class Table {
  readonly #header: readonly string[]
  readonly #width: number | undefined
  readonly #widths: number[]
  #started = false

  constructor(header: readonly string[], width: number | undefined) {
    this.#header = header
    this.#width = width
    this.#widths = header.map((cell) => cell.length)
  }

  /** The lines of `rows`, after the header at the first call. Text of others is made safe to print. */
  lines(rows: readonly (readonly string[])[]): string {
    const safe = rows.map((row) => row.map(printable))
    for (const row of safe) {
      for (const [i, cell] of row.entries()) this.#widths[i] = Math.max(this.#widths[i] ?? 0, cell.length)
    }
    this.#fit()
    const all = this.#started ? safe : [this.#header, ...safe]
    this.#started = true
    return all.map((row) => `${this.#line(row)}\n`).join('')
  }

  #fit(): void {
    if (this.#width === undefined) return
    const [first = 0, ...others] = this.#widths
    const room = this.#width - others.reduce((sum, each) => sum + each + GAP.length, 0)
    this.#widths[0] = Math.min(first, Math.max(NARROWEST_FIRST, room))
  }

  #line([first = '', ...others]: readonly string[]): string {
    const cut = this.#width === undefined ? first : shortened(first, this.#widths[0] ?? first.length)
    return [cut, ...others]
      .map((cell, i) => cell.padEnd(this.#widths[i] ?? 0))
      .join(GAP)
      .trimEnd()
  }
}
