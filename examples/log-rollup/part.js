import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { settingsAsEnv } from './app.js'
import { readBodyLog } from './body-log.js'
import { killInMidRun, midRun } from './kill.js'
import { progress } from './progress.js'
import { readTotals } from './rollup.js'
import { TITLES } from './title.js'
import { judge } from './verdict.js'
import { pause, until } from './wait.js'

/**
 * What the parts share: the server, the worker that runs, where things are.
 *
 * @typedef {object} Stage
 * @property {import('beatlock').TaskHandle<[{ log: string }], unknown>} rollup
 * @property {Awaited<ReturnType<import('beatlock').App['connection']>>} connection
 * @property {import('./app.js').Settings} settings without the part's own log and overlap
 * @property {import('./options.js').Options} options
 * @property {import('./crew.js').Crew} crew
 * @property {{ args: string[], env: NodeJS.ProcessEnv }} beat how a beat is started
 * @property {import('./live-line.js').LiveLine} line
 * @property {AbortSignal} signal
 */

/**
 * @typedef {object} Files
 * @property {string} log
 * @property {string} totals
 * @property {string} bodies
 */

/** @typedef {import('./verdict.js').Evidence['overlap']} Overlap */

const WRITER = fileURLToPath(new URL('./writer.js', import.meta.url))
const LINES_A_SECOND = 250
const LOOK_EVERY_MS = 100
const BEAT_STARTS_MS = 20_000
/** A run that waits for its turn and the run before it, with a margin for slow machines. */
const IDLE_MS = 60_000
/** From here on, as a share of the part, a child may be killed. */
const KILL_AFTER = 0.35

/**
 * Plays one part: the log grows, beat's entry fires, and at the end everything written is rolled up and judged.
 *
 * @param {Stage} stage
 * @param {Overlap} overlap
 * @returns {Promise<import('./table.js').Part>}
 */
export async function playPart(stage, overlap) {
  const { crew, options } = stage
  const settings = { ...stage.settings, overlap, log: join(overlap, 'access.log') }
  const folder = join(settings.folder, overlap)
  const files = {
    log: join(folder, 'access.log'),
    totals: join(folder, 'totals.json'),
    bodies: join(folder, 'bodies.jsonl'),
  }
  const decisions = decisionsOf(stage, overlap)
  mkdirSync(folder)
  const writer = crew.start({
    title: 'log writer',
    args: [WRITER, files.log, String(options.seed), String(LINES_A_SECOND)],
    env: {},
    output: join(folder, 'writer.log'),
    channel: 'ipc',
  })
  const beat = crew.start({
    title: 'beat',
    args: stage.beat.args,
    env: { ...stage.beat.env, ...settingsAsEnv(settings) },
    output: join(folder, 'beat.log'),
  })
  try {
    await until(async () => (await decisions.read()).length > 0, {
      what: 'the first decision of beat',
      timeoutMs: BEAT_STARTS_MS,
      signal: stage.signal,
    })
    const kill = await watch(stage, { overlap, files, decisions })
    await Promise.all([writer.stop(), beat.stop()])
    await rollUpRest(stage, settings.log)
    return { ...verdictOf(overlap, files, await decisions.read()), kill }
  } finally {
    await Promise.all([writer.stop(), beat.stop()])
  }
}

/**
 * Shows what happens until the part's time is over; in a guarded part it kills a child on the way.
 *
 * @param {Stage} stage
 * @param {{ overlap: Overlap, files: Files, decisions: ReturnType<typeof decisionsOf> }} part
 */
async function watch({ connection, settings, options, line, signal }, { overlap, files, decisions }) {
  const startedAt = performance.now()
  const totalMs = options.seconds * 1000
  /** @type {Promise<import('./kill.js').Kill> | undefined} */
  let kill
  for (let elapsedMs = 0; elapsedMs < totalMs; elapsedMs = performance.now() - startedAt) {
    const ns = process.hrtime.bigint()
    const bodies = readBodyLog(files.bodies)
    line.show(progress({ title: TITLES[overlap], elapsedMs, totalMs, bodies, decisions: await decisions.read(), ns }))
    const body = midRun(bodies, { bodyMs: settings.bodyMs, ns })
    if (!kill && body && overlap !== 'allow' && elapsedMs > KILL_AFTER * totalMs) {
      line.say(`${TITLES[overlap]}: kill -9 of child ${body.pid} in mid-run`)
      kill = killInMidRun({ store: connection.store, bodies: files.bodies, body, signal })
      kill.catch(() => {})
    }
    await pause(LOOK_EVERY_MS, signal)
  }
  return kill
}

/**
 * Waits until nothing is queued or runs, then calls once more, to the end of the file.
 *
 * @param {Stage} stage
 * @param {string} log
 */
async function rollUpRest({ rollup, connection, line, signal }, log) {
  line.show('waiting for the last run …')
  const wait = { timeoutMs: IDLE_MS, signal }
  let quiet = 0
  await until(
    async () => {
      quiet = (await isIdle(connection)) ? quiet + 1 : 0
      // A message on its way from waiting to active may be missed once.
      return quiet > 1
    },
    { what: 'the key to be free', pauseMs: 100, ...wait },
  )
  const call = await until(
    async () => {
      const result = await rollup.applyAsync([{ log }], { once: { overlap: 'skip' } })
      return result.outcome === 'published' && result
    },
    { what: 'the last call to be accepted', pauseMs: 200, ...wait },
  )
  await until(async () => (await call.state()) === 'SUCCESS', { what: `the last call ${call.id} to succeed`, ...wait })
}

/** @param {Stage['connection']} connection */
async function isIdle({ store, servers }) {
  for await (const _ of store.list({})) return false
  const { waiting, delayed, active } = await servers.engine.counts('default')
  return waiting + delayed + active === 0
}

/**
 * Beat's decisions on the part's entry, the newest first. The store keeps only the last ones, so they are collected.
 *
 * @param {Stage} stage
 * @param {Overlap} overlap
 */
function decisionsOf({ connection }, overlap) {
  /** @type {Map<number, import('../../src/beat/schedule-store.js').Decision>} */
  const all = new Map()
  return {
    async read() {
      const latest = await connection.servers.scheduleStore.history(`rollup-${overlap}`, 20)
      for (const decision of latest) all.set(decision.nominal, decision)
      return [...all.values()].sort((a, b) => b.nominal - a.nominal)
    },
  }
}

/**
 * @param {Overlap} overlap
 * @param {Files} files
 * @param {import('./verdict.js').Evidence['decisions']} decisions
 */
function verdictOf(overlap, files, decisions) {
  const log = readFileSync(files.log, 'utf8')
  return judge({ overlap, log, totals: readTotals(files.totals), bodies: readBodyLog(files.bodies), decisions })
}
