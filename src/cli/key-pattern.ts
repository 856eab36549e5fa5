import { UsageError } from '../lock/error.js'
import { printable } from '../lock/printable.js'

/** What a KEY on the command line is compared with. */
export interface Named {
  readonly app: string
  readonly key: string
  readonly label: string
}

/**
 * The rows that KEY means: those of one key (named in full, by its label, or by a prefix that fits no other), or all
 * that a pattern with `*` or `?` fits, over key and label. Pure.
 *
 * @throws UsageError for a prefix or a key that fits several.
 */
export function rowsMatching<Row extends Named>(pattern: string, rows: readonly Row[]): readonly Row[] {
  if (isPattern(pattern)) {
    const fits = globRule(pattern)
    return rows.filter((row) => fits.test(row.key) || fits.test(row.label))
  }
  const exact = rows.filter((row) => row.key === pattern || row.label === pattern)
  const found = exact.length > 0 ? exact : rows.filter((row) => row.key.startsWith(pattern))
  refuseSeveral(pattern, found)
  return found
}

/** Whether KEY may mean several keys. */
export function isPattern(text: string): boolean {
  return /[*?]/.test(text)
}

/** Whether KEY is a whole key, as `--json` prints it. */
export function isWholeKey(text: string): boolean {
  return /:[0-9a-f]{32}$/.test(text)
}

/** Brackets mean themselves: labels have them. */
function globRule(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${source}$`, 's')
}

const SHOWN = 5

function refuseSeveral(pattern: string, rows: readonly Named[]): void {
  const keys = new Set(rows.map((row) => row.key))
  const apps = new Set(rows.map((row) => row.app))
  if (keys.size > 1) {
    const some = [...keys].slice(0, SHOWN).join(', ')
    throw new UsageError(
      `'${printable(pattern)}' fits ${keys.size} keys (${some}${keys.size > SHOWN ? ', …' : ''}); write more of it, or '${printable(pattern)}*' for all.`,
    )
  }
  if (apps.size > 1) {
    throw new UsageError(`'${printable(pattern)}' is a key of the apps ${[...apps].join(', ')}; add --app NAME.`)
  }
}
