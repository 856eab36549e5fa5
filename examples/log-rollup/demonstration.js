import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { App } from 'beatlock'
import { Rollup, settingsAsEnv } from './app.js'
import { clean } from './clean.js'
import { Crew } from './crew.js'
import { LiveLine } from './live-line.js'
import { playPart } from './part.js'
import { locksCommand, ROOT, serversAsEnv, serversOf } from './servers.js'
import { conclusion, table } from './table.js'
import { until } from './wait.js'

/**
 * What is there once the servers have answered.
 *
 * @typedef {object} Scene
 * @property {import('./options.js').Options} options
 * @property {import('./servers.js').Servers} servers
 * @property {App} app
 * @property {import('./part.js').Stage['rollup']} rollup
 * @property {import('./clean.js').Connection} connection
 * @property {import('./app.js').Settings} settings
 * @property {Crew} crew
 * @property {AbortSignal} signal
 */

const COMMAND = join(ROOT, 'dist/src/cli/beatlock.js')
const MODULE = fileURLToPath(new URL('./app.js', import.meta.url))
const EVERY_MS = 1000
const BODY_MS = 2500
const WORKER_STARTS_MS = 30_000

/**
 * Plays all parts and takes down what it put up, however they end.
 *
 * @param {import('./options.js').Options} options
 * @param {import('./interrupt.js').Interrupts} interrupts
 * @returns {Promise<boolean>} whether each guarded part kept its promise
 */
export async function demonstrate(options, interrupts) {
  const scene = await open(options, interrupts)
  introduce(scene)
  const worker = startWorker(scene)
  let passed = true
  try {
    const parts = await play(scene)
    console.log(`\n${table(parts)}\n\n${conclusion(parts)}`)
    passed = parts.every((part) => part.passed)
    return passed
  } finally {
    if (interrupts.stop.aborted) console.log('Ending: beat, worker, locks, queues and files of this run.')
    await worker.stop()
    await clean(scene.app, scene.connection)
    if (passed) rmSync(scene.settings.folder, { recursive: true, force: true })
    else console.log(`What was written is kept in ${scene.settings.folder}.`)
  }
}

/**
 * A URL that names no server and a server that does not answer end it here, before anything is started.
 *
 * @param {import('./options.js').Options} options
 * @param {import('./interrupt.js').Interrupts} interrupts
 * @returns {Promise<Scene>}
 */
async function open(options, interrupts) {
  const servers = serversOf(options, process.env)
  const { broker, locks } = servers
  // A name of its own: what an earlier run may have left cannot matter.
  const name = `log-rollup-${Date.now().toString(36)}`
  const app = new App(name, { broker, ...(locks ? { locks: { url: locks } } : {}) })
  const rollup = app.register(Rollup)
  const connection = await app.connection()
  const folder = mkdtempSync(join(tmpdir(), 'beatlock-demo-'))
  /** @type {import('./app.js').Settings} */
  const settings = { name, folder, log: 'access.log', overlap: 'skip', everyMs: EVERY_MS, bodyMs: BODY_MS }
  const crew = new Crew()
  interrupts.now.addEventListener('abort', () => crew.hurry())
  process.once('exit', () => crew.killAll())
  const signal = AbortSignal.any([interrupts.stop, crew.lost])
  return { options, servers, app, rollup, connection, settings, crew, signal }
}

/** @param {Scene} scene */
function introduce({ options, servers, connection, settings }) {
  const { broker, locks } = connection.servers
  const [every, takes] = [settings.everyMs / 1000, settings.bodyMs / 1000]
  console.log(`An access log grows; rollup.hourly rolls it up every ${every} s and takes ${takes} s each time.
Three parts of ${options.seconds} s: unguarded, then guarded with skip and with defer.
App ${settings.name} on ${broker}${locks === broker ? '' : `, locks on ${locks}`}, ${options.concurrency} prefork children.
To see the locks meanwhile, in another terminal: ${locksCommand(servers, connection.servers)}
`)
}

/** @param {Scene} scene */
function startWorker({ crew, options, servers, settings }) {
  return crew.start({
    title: 'worker',
    args: [COMMAND, '-A', MODULE, 'worker', '-c', String(options.concurrency)],
    env: { ...serversAsEnv(servers), ...settingsAsEnv(settings) },
    output: join(settings.folder, 'worker.log'),
  })
}

/** @param {Scene} scene */
async function play({ options, servers, rollup, connection, settings, crew, signal }) {
  await until(async () => (await connection.store.workers({ allApps: false })).length > 0, {
    what: 'the worker',
    timeoutMs: WORKER_STARTS_MS,
    signal,
  })
  const line = new LiveLine(process.stdout)
  const beat = { args: [COMMAND, '-A', MODULE, 'beat'], env: serversAsEnv(servers) }
  const parts = []
  try {
    for (const overlap of /** @type {const} */ (['allow', 'skip', 'defer'])) {
      parts.push(await playPart({ rollup, connection, settings, options, crew, beat, line, signal }, overlap))
    }
  } finally {
    line.clear()
  }
  return parts
}
