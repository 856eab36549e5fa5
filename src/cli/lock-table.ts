import { formatDuration } from '../lock/duration.js'
import type { LockInfo } from '../task-base/locks.js'
import { Table } from './table.js'

export interface LockTableOptions {
  /** Width of the terminal; undefined: piped, nothing is cut. */
  readonly width: number | undefined
  /** Whether rows of several apps can appear. */
  readonly apps: 'one' | 'all'
}

/** So many hex digits of a key are enough to name it in a command. */
const KEY_DIGITS = 8
const HEADER = ['LABEL', 'STAGE', 'HOLDER', 'WORKER', 'AGE', 'TTL', 'ALIVE', 'PARKED', 'KEY']

/** The table of `locks list`: the label first, in words of people. */
export class LockTable {
  readonly #options: LockTableOptions
  readonly #table: Table

  constructor(options: LockTableOptions) {
    this.#options = options
    this.#table = new Table(options.apps === 'all' ? [...HEADER, 'APP'] : HEADER, options.width)
  }

  lines(rows: readonly LockInfo[]): string {
    return this.#table.lines(rows.map((row) => this.#cells(row)))
  }

  #cells(row: LockInfo): string[] {
    const cells = [
      row.label,
      row.stage ?? 'parked',
      row.holder ?? '-',
      row.worker ?? '-',
      duration(row.ageMs),
      duration(row.ttlMs),
      lifeText(row),
      String(row.parked),
      this.#options.width === undefined ? row.key : shortKey(row.key),
    ]
    return this.#options.apps === 'all' ? [...cells, row.app] : cells
  }
}

/** `yes`, `no (its lease ended)`, `? (only parked calls)`. Pure. */
export function lifeText({ alive, why }: Pick<LockInfo, 'alive' | 'why'>): string {
  const word = alive === null ? '?' : alive ? 'yes' : 'no'
  return why === null ? word : `${word} (${why})`
}

function duration(ms: number | null): string {
  if (ms === null) return '-'
  return ms < 0 ? `over since ${formatDuration(-ms)}` : formatDuration(ms)
}

function shortKey(key: string): string {
  return key.replace(/:([0-9a-f]{32})$/, (_, digits: string) => `:${digits.slice(0, KEY_DIGITS)}`)
}
