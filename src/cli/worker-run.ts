import { formatDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import { packageVersion } from '../lock/version.js'
import type { App } from '../task-base/app.js'
import { type OnStep, START_STEPS } from '../worker/start-step.js'
import { type RunningWorker, startWorker, type WorkerInfo, type WorkerOptions } from '../worker/worker.js'
import { logApp } from './app-log.js'
import { BeatChild } from './beat-child.js'
import type { ExitCode } from './exit.js'
import { type Log, openLog } from './log.js'
import { Outage } from './outage.js'
import { probeOf } from './probe.js'
import type { GlobalFlags } from './program.js'
import { followRuns } from './run-follower.js'
import { loadServed, memoryText } from './served-app.js'
import { type Running, serve } from './service.js'
import { isMemory } from './target.js'
import type { WorkerChoice } from './worker.js'

interface Start {
  readonly app: App
  readonly module: string
  readonly flags: GlobalFlags
  readonly choice: WorkerChoice
  readonly log: Log
  readonly runs: ReturnType<typeof followRuns>
}

/** The life of a worker process. */
export async function runWorker(flags: GlobalFlags, choice: WorkerChoice): Promise<ExitCode> {
  const loadedAt = performance.now()
  const { app, module } = await loadServed(flags, 'worker')
  const loadMs = performance.now() - loadedAt
  if (choice.beat) await refuseBadBeat(app, flags)
  const log = openLog(flags.logLevel)
  logApp(app, log)
  log.debug(`start: app ${app.name} of ${module} was read in ${formatDuration(loadMs)}`)
  const runs = followRuns(app)
  // Until it has started there is nothing to replace.
  onHangUp(() => {})
  const coldAfterMs = choice.shutdownMs ?? app.settings.worker.shutdownMs
  return serve({ name: 'worker', log, coldAfterMs, start: () => start({ app, module, flags, choice, log, runs }) })
}

/** What beat would refuse ends the worker too, before anything has started. */
async function refuseBadBeat(app: App, flags: GlobalFlags): Promise<void> {
  if (isMemory(app, flags)) throw new UsageError(memoryText('worker -B'))
  const { readTimetable } = await import('../beat/timetable.js')
  readTimetable(app)
}

async function start({ app, module, flags, choice, log, runs }: Start): Promise<Running> {
  const { beat: withBeat, maxTasksPerChild, maxMemoryBytes, shutdownMs: _, autoscale: scale, ...options } = choice
  const { worker: said } = app.settings
  const autoscale = scale === null ? (said.autoscale ?? undefined) : scale
  const concurrency = autoscale?.min ?? options.concurrency
  const recycling = {
    maxTasks: maxTasksPerChild ?? said.maxTasksPerChild,
    maxMemoryBytes: maxMemoryBytes ?? said.maxMemoryBytes,
  }
  const steps = { onStep: tellStep(log), steering: steeringOf(log) }
  const worker = await startWorker({ app, module, ...options, concurrency, autoscale, recycling, ...steps })
  tellWorker({ ...worker.info, most: autoscale?.max }, { app: app.name, log })
  tellStarter()
  const outage = new Outage({ log, probe: probeOf(app) })
  const quiet = app.on('trouble', ({ where, error }) => outage.trouble(where, error))
  const beat = withBeat ? new BeatChild({ flags, feed: worker.feed, log }) : undefined
  let stopping = false
  onHangUp(() => (stopping ? log.info('worker is stopping: it replaces no children') : reload(worker, { beat, log })))
  return {
    waitsFor: () => runs.text(),
    stop(how) {
      stopping = true
      return stop({ worker, beat, outage, quiet }, how)
    },
    failed: beat ? Promise.race([worker.failed, beat.failed]) : worker.failed,
  }
}

/** SIGHUP: new code. On a terminal it means that the terminal is gone, and ends the process as ever. */
function onHangUp(reload: () => unknown): void {
  if (!process.stdin.isTTY) process.on('SIGHUP', reload)
}

async function reload(worker: RunningWorker, { beat, log }: { beat: BeatChild | undefined; log: Log }): Promise<void> {
  log.info('worker replaces its children: they load the code anew')
  const startedAt = performance.now()
  try {
    if ((await worker.reload()) === 'closed') return log.info('worker is stopping: not all its children were replaced')
    beat?.renew()
    log.info(`worker has replaced its children in ${formatDuration(performance.now() - startedAt)}`)
  } catch (error) {
    const why = error as Error
    log.error(`worker goes on with the children it has: ${why.message}`, { error: why })
  }
}

interface Parts {
  readonly worker: RunningWorker
  readonly beat: BeatChild | undefined
  readonly outage: Outage
  readonly quiet: () => void
}

/** Beat first: what it publishes now would only wait. And it would die with the worker's feed. */
async function stop({ worker, beat, outage, quiet }: Parts, how: 'warm' | 'cold'): Promise<void> {
  const beatGone = beat?.stop(how)
  const gone = how === 'cold' ? worker.stop('cold') : beatGone?.then(() => worker.stop('warm'))
  await (gone ?? worker.stop(how))
  await beatGone
  quiet()
  await outage.stop()
}

/** Who started it in the background waits for this (`multi`), and may be gone by now. */
function tellStarter(): void {
  if (process.connected) process.send?.({ say: 'ready' }, () => process.connected && process.disconnect?.())
}

/** A command to shut down goes the way of the signal. */
function steeringOf(log: Log): NonNullable<WorkerOptions['steering']> {
  return {
    shutdown: () => void process.emit('SIGTERM', 'SIGTERM'),
    logLevel: (level) => log.setLevel(level),
  }
}

function tellStep(log: Log): OnStep {
  return (step, tookMs) => {
    const took = tookMs === undefined ? '' : ` took ${formatDuration(tookMs)}`
    log.debug(`start ${START_STEPS.indexOf(step) + 1}/${START_STEPS.length}: ${step}${took}`)
  }
}

/** The start-up lines: what this worker is, what it serves, and where. */
function tellWorker(
  info: WorkerInfo & { readonly most: number | undefined },
  { app, log }: { app: string; log: Log },
): void {
  const { name, broker, locks, barrier, concurrency, most, pool, queues, tasks } = info
  const count = most === undefined ? `${concurrency}` : `${concurrency} to ${most}`
  const children = pool === 'solo' ? 'solo' : `${count} prefork ${count === '1' ? 'child' : 'children'}`
  log.info(`beatlock ${packageVersion()} on Node ${process.versions.node}, pid ${process.pid}`)
  log.info(
    `worker ${name} of app ${app}: ${children}, ${queues.length === 1 ? 'queue' : 'queues'} ${queues.join(', ')}`,
  )
  log.info(`broker ${broker}, locks ${locks}, barrier ${barrier}`)
  log.info(tasks.length === 0 ? 'no tasks: register one in the app' : `tasks ${tasks.join(', ')}`)
}
