import { TITLES } from './title.js'

/**
 * @typedef {import('./verdict.js').Verdict & { kill: import('./kill.js').Kill | undefined }} Part
 */

/** @type {readonly [string, (part: Part) => string][]} */
const ROWS = [
  ['runs', ({ runs, kill }) => (kill ? `${runs} (1 killed)` : `${runs}`)],
  ['overlaps (max depth)', ({ overlaps, maxDepth }) => `${overlaps} (${maxDepth})`],
  ['skipped', ({ skipped }) => `${skipped}`],
  ['deferred', ({ deferred }) => `${deferred}`],
  ['lines in the log', ({ lines }) => `${lines}`],
  ['counted', ({ counted }) => `${counted}`],
  ['counted twice', ({ countedTwice }) => `${countedTwice}`],
  ['not counted', ({ notCounted }) => `${notCounted}`],
  ['kill -9 to key queued again', ({ kill }) => ms(kill?.requeuedMs)],
  ['kill -9 to body again', ({ kill }) => ms(kill?.restartedMs)],
  ['verdict', ({ verdict }) => verdict],
]

/**
 * The table that the demonstration ends with: a column a part.
 *
 * @param {readonly Part[]} parts
 * @returns {string}
 */
export function table(parts) {
  const rows = [
    ['', ...parts.map(({ overlap }) => TITLES[overlap])],
    ...ROWS.map(([name, of]) => [name, ...parts.map(of)]),
  ]
  const widths = [0, ...parts.map((_, index) => index + 1)].map((column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  const rule = widths.map((width) => '─'.repeat(width)).join('──')
  const [head, ...body] = rows.map((row) => lineOf(row, widths))
  return [head, rule, ...body].join('\n')
}

/**
 * The names to the left, the numbers to the right.
 *
 * @param {readonly string[]} row
 * @param {readonly number[]} widths
 */
function lineOf([name = '', ...values], [first = 0, ...widths]) {
  return [name.padEnd(first), ...values.map((value, index) => value.padStart(widths[index] ?? 0))].join('  ')
}

/** @param {number | null | undefined} value */
function ms(value) {
  if (value === undefined) return '–'
  return value === null ? 'not seen' : `${Math.round(value)} ms`
}

/**
 * What the table says, in words.
 *
 * @param {readonly Part[]} parts
 * @returns {string}
 */
export function conclusion(parts) {
  const guarded = parts.filter(({ overlap }) => overlap !== 'allow')
  const unguarded = parts.find(({ overlap }) => overlap === 'allow')
  const wrong = guarded.filter(({ passed }) => !passed)
  if (wrong.length > 0)
    return `FAILED: ${wrong.map(({ overlap }) => TITLES[overlap]).join(' and ')} did not keep its promise.`
  const killed = guarded.every(({ kill }) => kill !== undefined)
  const exact = `Guarded, every line was counted exactly once${killed ? ', also across a kill -9' : ''}.`
  if (!unguarded || unguarded.countedTwice === 0) {
    return `${exact} Unguarded, no line was counted twice: the demonstration was too short to show it; give more --seconds.`
  }
  const share = Math.round((100 * unguarded.countedTwice) / unguarded.lines)
  return `Unguarded, overlapping runs counted ${unguarded.countedTwice} lines too many (${share} %). ${exact}`
}
