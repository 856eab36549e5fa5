import { count } from './rollup.js'

/**
 * All that is known of a part when it is over.
 *
 * @typedef {object} Evidence
 * @property {'allow' | 'skip' | 'defer'} overlap
 * @property {string} log the whole log
 * @property {import('./rollup.js').Totals} totals
 * @property {readonly import('./body-log.js').BodyRecord[]} bodies
 * @property {readonly { decision: string, slots: number }[]} decisions beat's, one a slot
 */

/**
 * @typedef {object} Verdict
 * @property {Evidence['overlap']} overlap
 * @property {number} runs bodies started
 * @property {number} overlaps bodies started while another one ran
 * @property {number} maxDepth bodies that ran at the same time
 * @property {number} skipped
 * @property {number} deferred slots that a later run stands for: parked, or coalesced into a parked call
 * @property {number} lines in the log
 * @property {number} counted lines, by the totals
 * @property {number} countedTwice additions beyond a line's first
 * @property {number} notCounted lines that no run committed
 * @property {boolean} exact each cell of the totals is what a recount of the log gives
 * @property {'exact' | 'wrong' | 'counted twice' | 'no overlap came about'} verdict
 * @property {boolean} passed
 */

/**
 * Judges a part by its log, totals, bodies and decisions. Pure.
 *
 * @param {Evidence} evidence
 * @returns {Verdict}
 */
export function judge({ overlap, log, totals, bodies, decisions }) {
  /** @type {import('./rollup.js').Counts} */
  const recount = {}
  const lines = count(recount, log)
  const { runs, overlaps, maxDepth } = depthOf(bodies)
  const { countedTwice, notCounted } = coverage(log, totals.commits)
  const exact = countedTwice === 0 && notCounted === 0 && sameCounts(recount, totals.counts)
  const found = { runs, overlaps, maxDepth, lines, countedTwice, notCounted, exact }
  return {
    overlap,
    ...found,
    skipped: slots(decisions, ['skipped']),
    deferred: slots(decisions, ['deferred', 'coalesced']),
    counted: Object.values(totals.counts).reduce((sum, each) => sum + each, 0),
    ...sentence(overlap, found),
  }
}

/**
 * Only a guarded part can fail: an unguarded one without double counting was too short to show anything.
 *
 * @param {Evidence['overlap']} overlap
 * @param {Pick<Verdict, 'exact' | 'maxDepth' | 'countedTwice'>} found
 * @returns {Pick<Verdict, 'verdict' | 'passed'>}
 */
function sentence(overlap, { exact, maxDepth, countedTwice }) {
  if (overlap === 'allow')
    return { verdict: countedTwice > 0 ? 'counted twice' : 'no overlap came about', passed: true }
  const passed = exact && maxDepth <= 1
  return { verdict: passed ? 'exact' : 'wrong', passed }
}

/**
 * How many bodies ran at once. A body without an end counts as running to the last record.
 *
 * @param {Evidence['bodies']} bodies
 */
function depthOf(bodies) {
  const running = new Set()
  let [runs, overlaps, maxDepth] = [0, 0, 0]
  for (const { event, id, attempt, pid } of bodies.toSorted(byTime)) {
    const body = `${id} ${attempt} ${pid}`
    if (event !== 'start') {
      running.delete(body)
      continue
    }
    runs += 1
    if (running.size > 0) overlaps += 1
    running.add(body)
    maxDepth = Math.max(maxDepth, running.size)
  }
  return { runs, overlaps, maxDepth }
}

/**
 * @param {{ ns: string }} a
 * @param {{ ns: string }} b
 */
function byTime(a, b) {
  const later = BigInt(a.ns) - BigInt(b.ns)
  return later < 0n ? -1 : later > 0n ? 1 : 0
}

/**
 * How often each line was committed.
 *
 * @param {string} log
 * @param {readonly import('./rollup.js').Commit[]} commits
 */
function coverage(log, commits) {
  let [countedTwice, notCounted, at] = [0, 0, 0]
  for (const line of log.split('\n').slice(0, -1)) {
    const times = commits.filter(({ from, to }) => from <= at && at < to).length
    if (times === 0) notCounted += 1
    else countedTwice += times - 1
    at += Buffer.byteLength(line) + 1
  }
  return { countedTwice, notCounted }
}

/**
 * @param {import('./rollup.js').Counts} a
 * @param {import('./rollup.js').Counts} b
 */
function sameCounts(a, b) {
  const cells = new Set([...Object.keys(a), ...Object.keys(b)])
  return [...cells].every((cell) => a[cell] === b[cell])
}

/**
 * @param {Evidence['decisions']} decisions
 * @param {readonly string[]} names
 */
function slots(decisions, names) {
  return decisions.filter(({ decision }) => names.includes(decision)).reduce((sum, each) => sum + each.slots, 0)
}
