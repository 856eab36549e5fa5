import { appendFileSync, existsSync, readFileSync } from 'node:fs'

/**
 * What a body tells of itself: the ground truth about overlaps. `ns` is monotonic and shared by all processes of a host.
 *
 * @typedef {object} BodyRecord
 * @property {'start' | 'end' | 'killed'} event
 * @property {string} id message id
 * @property {number} attempt
 * @property {number} pid
 * @property {number | null} token
 * @property {string | null} key
 * @property {string} ns
 */

/**
 * Appends one record; lines of several processes do not mix (O_APPEND).
 *
 * @param {string} file
 * @param {Omit<BodyRecord, 'ns'>} record
 * @param {bigint} [ns]
 */
export function tell(file, record, ns = process.hrtime.bigint()) {
  appendFileSync(file, `${JSON.stringify({ ...record, ns: String(ns) })}\n`)
}

/**
 * All whole records so far, in the order they were written.
 *
 * @param {string} file
 * @returns {BodyRecord[]}
 */
export function readBodyLog(file) {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line))
}
