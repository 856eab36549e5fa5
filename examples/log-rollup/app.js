import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { App, QueueOnce } from 'beatlock'
import { tell } from './body-log.js'
import { commitTotals, count, readLines, readTotals } from './rollup.js'

/**
 * What the demonstration chooses, carried to worker and beat by environment.
 *
 * @typedef {object} Settings
 * @property {string} name of the app: its key space on the server
 * @property {string} folder where the logs are
 * @property {string} log path within the folder
 * @property {'allow' | 'skip' | 'defer'} overlap
 * @property {number} everyMs
 * @property {number} bodyMs about how long a run takes
 */

const PREFIX = 'LOG_ROLLUP_'
const PAUSE_MS = 100

/** Rolls up what the log has grown by, slowly. One run per log at a time, if beatlock is let to. */
export class Rollup extends QueueOnce {
  name = 'rollup.hourly'
  once = /** @type {const} */ ({ keys: ['log'], timeout: '1m', overlap: 'skip' })

  /** @param {{ log: string }} of */
  async run({ log }) {
    const { folder, bodyMs } = readSettings(process.env)
    const { id, attempt, signal, lock } = this.request
    const about = { id, attempt, pid: process.pid, token: lock?.token ?? null, key: lock?.key ?? null }
    const bodies = join(folder, dirname(log), 'bodies.jsonl')
    tell(bodies, { event: 'start', ...about })
    try {
      return await rollUp({ file: join(folder, log), id, bodyMs, signal })
    } finally {
      tell(bodies, { event: 'end', ...about })
    }
  }
}

/**
 * The offset is read at the start, and set at the end together with the counts.
 *
 * @param {{ file: string, id: string, bodyMs: number, signal: AbortSignal }} of
 */
async function rollUp({ file, id, bodyMs, signal }) {
  const totals = join(dirname(file), 'totals.json')
  const { offset: from } = readTotals(totals)
  const until = performance.now() + bodyMs
  /** @type {import('./rollup.js').Counts} */
  const counts = {}
  let to = from
  let lines = 0
  for (const piece of readLines(file, from, bodyMs / PAUSE_MS)) {
    lines += count(counts, piece.text)
    to = piece.to
    await sleep(PAUSE_MS, undefined, { signal })
  }
  await sleep(Math.max(0, until - performance.now()), undefined, { signal })
  signal.throwIfAborted()
  if (lines > 0) commitTotals(totals, { id, from, to, lines }, counts)
  return { log: basename(file), lines, from, to }
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Settings}
 */
export function readSettings(env) {
  const overlap = env[`${PREFIX}OVERLAP`] ?? 'skip'
  return {
    name: env[`${PREFIX}APP`] ?? 'log-rollup',
    folder: env[`${PREFIX}FOLDER`] ?? '.',
    log: env[`${PREFIX}LOG`] ?? 'access.log',
    overlap: /** @type {Settings['overlap']} */ (overlap),
    everyMs: Number(env[`${PREFIX}EVERY_MS`] ?? 1000),
    bodyMs: Number(env[`${PREFIX}BODY_MS`] ?? 2500),
  }
}

/**
 * @param {Settings} settings
 * @returns {NodeJS.ProcessEnv}
 */
export function settingsAsEnv({ name, folder, log, overlap, everyMs, bodyMs }) {
  return {
    [`${PREFIX}APP`]: name,
    [`${PREFIX}FOLDER`]: folder,
    [`${PREFIX}LOG`]: log,
    [`${PREFIX}OVERLAP`]: overlap,
    [`${PREFIX}EVERY_MS`]: String(everyMs),
    [`${PREFIX}BODY_MS`]: String(bodyMs),
  }
}

const settings = readSettings(process.env)

export const app = new App(settings.name)
const rollup = app.register(Rollup)
app.addPeriodicTask(`${settings.everyMs}ms`, rollup.s({ log: settings.log }), {
  name: `rollup-${settings.overlap}`,
  once: { timeout: '1m', overlap: settings.overlap },
})
