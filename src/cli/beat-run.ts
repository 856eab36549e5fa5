import { type RunningBeat, startBeat } from '../beat/beat.js'
import { readTimetable } from '../beat/timetable.js'
import { parseDuration } from '../lock/duration.js'
import type { App } from '../task-base/app.js'
import { logApp } from './app-log.js'
import type { BeatFlags } from './beat.js'
import { type Address, readAddress, serveHealth } from './beat-health.js'
import { logBeat, tellBeat } from './beat-log.js'
import type { ExitCode } from './exit.js'
import { type Log, openLog } from './log.js'
import { Outage } from './outage.js'
import { probeOf } from './probe.js'
import { loadServed, processName } from './served-app.js'
import { type Running, serve } from './service.js'

/** The life of a beat process. */
export async function runBeat(flags: BeatFlags): Promise<ExitCode> {
  const maxIntervalMs = parseDuration(flags.maxInterval ?? '5s', '--max-interval', { minMs: 10, maxMs: 3_600_000 })
  const at = readAddress(flags.healthz)
  const { app } = await loadServed(flags, 'beat')
  readTimetable(app)
  const log = openLog(flags.logLevel)
  logApp(app, log)
  return serve({ name: 'beat', log, start: () => start(app, { log, maxIntervalMs, at }) })
}

interface Start {
  readonly log: Log
  readonly maxIntervalMs: number
  readonly at: Address | undefined
}

async function start(app: App, { log, maxIntervalMs, at }: Start): Promise<Running> {
  const beat = await startBeat({ app, name: processName('beat', undefined), maxIntervalMs })
  const health =
    at &&
    (await serveHealth(at, beat).catch(async (error: unknown) => {
      await beat.stop()
      throw error
    }))
  if (at && health) log.info(`healthz on ${at.host}:${health.port}`)
  const outage = new Outage({ log, probe: probeOf(app) })
  const quiet = app.on('trouble', ({ where, error }) => outage.trouble(where, error))
  tellBeat(beat.info, { app: app.name, log })
  logBeat(beat, { log, outage })
  return running(beat, async () => {
    quiet()
    await health?.close()
    await outage.stop()
  })
}

function running(beat: RunningBeat, after: () => Promise<void>): Running {
  let stopped: Promise<void> | undefined
  return {
    waitsFor: () => undefined,
    stop() {
      stopped ??= beat.stop().then(after)
      return stopped
    },
    failed: beat.failed,
  }
}
