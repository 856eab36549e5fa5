/**
 * @typedef {object} Moment
 * @property {string} title
 * @property {number} elapsedMs
 * @property {number} totalMs
 * @property {readonly import('./body-log.js').BodyRecord[]} bodies
 * @property {readonly { decision: string, nominal: number, holder: string | null }[]} decisions the newest first
 * @property {bigint} ns monotonic now
 */

/** What beat did with a slot that could not run at once. */
const AVOIDED = ['skipped', 'deferred', 'coalesced']

/**
 * What runs, what was skipped and because of whom, in one line. Pure.
 *
 * @param {Moment} moment
 * @returns {string}
 */
export function progress({ title, elapsedMs, totalMs, bodies, decisions, ns }) {
  const clock = `${Math.floor(elapsedMs / 1000)}/${Math.round(totalMs / 1000)} s`
  return [`${title} ${clock}`, whatRuns(runningBodies(bodies), ns), whatWasAvoided(decisions)]
    .filter(Boolean)
    .join(' · ')
}

/**
 * Bodies that have started and not ended, the oldest first.
 *
 * @param {Moment['bodies']} bodies
 */
export function runningBodies(bodies) {
  /** @type {Map<string, import('./body-log.js').BodyRecord>} */
  const running = new Map()
  for (const record of bodies) {
    const body = `${record.id} ${record.attempt} ${record.pid}`
    if (record.event === 'start') running.set(body, record)
    else running.delete(body)
  }
  return [...running.values()]
}

/**
 * @param {ReturnType<typeof runningBodies>} bodies
 * @param {bigint} ns
 */
function whatRuns(bodies, ns) {
  if (bodies.length === 0) return 'nothing runs'
  const each = bodies.map((body) => `${nameOf(body.id)} for ${secondsSince(body.ns, ns)} s in child ${body.pid}`)
  return `running ${bodies.length > 1 ? `${bodies.length} at once: ` : ''}${each.join(', ')}`
}

/** @param {Moment['decisions']} decisions */
function whatWasAvoided(decisions) {
  const avoided = decisions.filter(({ decision }) => AVOIDED.includes(decision))
  const [last] = avoided
  if (!last) return ''
  const holder = last.holder === null ? '' : ` because of ${nameOf(last.holder)}`
  return `${last.decision} ${clockOf(last.nominal)}${holder} (${avoided.length} so far)`
}

/**
 * A slot's message is named by its time; its id is long.
 *
 * @param {string} id
 */
function nameOf(id) {
  const slot = /^b-[0-9a-f]+-(\d+)$/.exec(id)?.[1]
  return slot === undefined ? id : clockOf(Number(slot))
}

/** @param {number} at */
function clockOf(at) {
  return new Date(at).toISOString().slice(11, 19)
}

/**
 * @param {string} since
 * @param {bigint} ns
 */
function secondsSince(since, ns) {
  return (Number(ns - BigInt(since)) / 1e9).toFixed(1)
}
