import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync, renameSync, writeFileSync } from 'node:fs'

/**
 * Lines by cell, as in `{ '15/Jan/2026:09:02 /news 200': 12 }`.
 *
 * @typedef {Record<string, number>} Counts
 */

/**
 * One committed piece of the log: bytes from `from` up to `to`, whole lines only.
 *
 * @typedef {{ id: string, from: number, to: number, lines: number }} Commit
 */

/**
 * What is kept beside the log. `commits` is there for the verdict: written in the same step as the counts, so it tells
 * the truth about them also when a run is killed.
 *
 * @typedef {{ offset: number, counts: Counts, commits: Commit[] }} Totals
 */

const LINE = /^\S+ \S+ \S+ \[(?<minute>[^\]]{17}):\d\d [+-]\d{4}\] "\S+ (?<path>\S+) [^"]*" (?<status>\d{3}) (?:\d+|-)$/

/**
 * The cell that a line counts in; undefined for what is no common log format.
 *
 * @param {string} line without its line feed
 * @returns {string | undefined}
 */
export function cellOf(line) {
  const groups = LINE.exec(line)?.groups
  return groups && `${groups['minute']} ${groups['path']} ${groups['status']}`
}

/**
 * Counts whole lines into `counts`.
 *
 * @param {Counts} counts
 * @param {string} text ends with a line feed, or is empty
 * @returns {number} how many lines
 */
export function count(counts, text) {
  const lines = text.split('\n').slice(0, -1)
  for (const line of lines) {
    const cell = cellOf(line) ?? 'unreadable'
    counts[cell] = (counts[cell] ?? 0) + 1
  }
  return lines.length
}

/**
 * @param {string} file
 * @returns {Totals}
 */
export function readTotals(file) {
  if (!existsSync(file)) return { offset: 0, counts: {}, commits: [] }
  return JSON.parse(readFileSync(file, 'utf8'))
}

/**
 * Adds a run's counts to the totals as they are **now** and sets the offset, in one rename. Nothing else keeps two
 * runs apart: if they overlap, both have read the same lines and both add them.
 *
 * @param {string} file
 * @param {Commit} commit
 * @param {Counts} counts
 */
export function commitTotals(file, commit, counts) {
  const totals = readTotals(file)
  for (const [cell, lines] of Object.entries(counts)) totals.counts[cell] = (totals.counts[cell] ?? 0) + lines
  totals.offset = commit.to
  totals.commits.push(commit)
  const next = `${file}.${process.pid}`
  writeFileSync(next, JSON.stringify(totals))
  renameSync(next, file)
}

/**
 * The log's text from `from`, in pieces of whole lines, up to the last line feed that was there at the start.
 *
 * @param {string} file
 * @param {number} from byte offset of the beginning of a line
 * @param {number} pieces about how many
 * @returns {Generator<{ text: string, to: number }>}
 */
export function* readLines(file, from, pieces) {
  const log = openSync(file, 'r')
  try {
    const unread = Buffer.alloc(Math.max(0, fstatSync(log).size - from))
    const size = readSync(log, unread, 0, unread.length, from)
    const end = unread.subarray(0, size).lastIndexOf('\n') + 1
    for (let at = 0, next = at; at < end; at = next) {
      next = unread.indexOf('\n', Math.min(end - 1, at + Math.floor(end / pieces))) + 1
      yield { text: unread.toString('utf8', at, next), to: from + next }
    }
  } finally {
    closeSync(log)
  }
}
