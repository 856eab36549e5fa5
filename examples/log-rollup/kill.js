import { readBodyLog, tell } from './body-log.js'
import { runningBodies } from './progress.js'
import { until } from './wait.js'

/**
 * What followed the SIGKILL of a child in mid-run. Null: not seen within the time allowed.
 *
 * @typedef {object} Kill
 * @property {number} pid
 * @property {number | null} requeuedMs until the key was `queued` for its own redelivery, or free
 * @property {number | null} restartedMs until the body of the same message started again
 */

const SEEN_WITHIN_MS = 20_000

/**
 * @typedef {object} Target
 * @property {import('beatlock').LockStore} store
 * @property {string} bodies the body log
 * @property {AbortSignal} signal
 */

/**
 * Kills the child of a body that has run for a third of its time, and watches what becomes of its key.
 *
 * @param {Target & { body: import('./body-log.js').BodyRecord }} of
 * @returns {Promise<Kill>}
 */
export async function killInMidRun({ store, bodies, body, signal }) {
  const killedNs = process.hrtime.bigint()
  process.kill(body.pid, 'SIGKILL')
  tell(bodies, { ...body, event: 'killed' })
  const since = (/** @type {bigint} */ ns) => Number(ns - killedNs) / 1e6
  const wait = { timeoutMs: SEEN_WITHIN_MS, pauseMs: 1, signal }
  const requeued = until(async () => !(await runsUnder(store, body)) && process.hrtime.bigint(), {
    what: 'the key of the killed run',
    ...wait,
  })
  const restarted = until(() => restartOf(body, readBodyLog(bodies)), {
    what: 'the killed run to start again',
    ...wait,
  })
  const [first, second] = await Promise.allSettled([requeued, restarted])
  signal.throwIfAborted()
  return {
    pid: body.pid,
    requeuedMs: first.status === 'fulfilled' ? since(first.value) : null,
    restartedMs: second.status === 'fulfilled' ? since(BigInt(second.value.ns)) : null,
  }
}

/**
 * The one running body, if it is in its second third. With several there is no telling whose key is whose.
 *
 * @param {readonly import('./body-log.js').BodyRecord[]} records
 * @param {{ bodyMs: number, ns: bigint }} of
 */
export function midRun(records, { bodyMs, ns }) {
  const [body, ...others] = runningBodies(records)
  if (!body || others.length > 0) return undefined
  const ageMs = Number(ns - BigInt(body.ns)) / 1e6
  return ageMs > bodyMs / 3 && ageMs < (2 * bodyMs) / 3 ? body : undefined
}

/**
 * @param {Target['store']} store
 * @param {import('./body-log.js').BodyRecord} body
 */
async function runsUnder(store, { id, key, token }) {
  const view = await store.show(/** @type {import('beatlock').LockKey} */ (key))
  return view?.rows.some((row) => row.holder === id && row.stage === 'running' && row.token === token) ?? false
}

/**
 * @param {import('./body-log.js').BodyRecord} body
 * @param {readonly import('./body-log.js').BodyRecord[]} records
 */
function restartOf(body, records) {
  return records.find(
    ({ event, id, pid, ns }) => event === 'start' && id === body.id && pid !== body.pid && BigInt(ns) > BigInt(body.ns),
  )
}
