import { type RunningBeat, startBeat } from '../beat/beat.js'
import { readTimetable } from '../beat/timetable.js'
import type { App } from '../task-base/app.js'
import { logApp } from './app-log.js'
import { logBeat, tellBeat } from './beat-log.js'
import type { ExitCode } from './exit.js'
import { type Log, openLog } from './log.js'
import { Outage } from './outage.js'
import { probeOf } from './probe.js'
import type { GlobalFlags } from './program.js'
import { loadServed, processName } from './served-app.js'
import { type Running, serve } from './service.js'

/** The life of a beat process. */
export async function runBeat(flags: GlobalFlags): Promise<ExitCode> {
  const { app } = await loadServed(flags, 'beat')
  readTimetable(app)
  const log = openLog(flags.logLevel)
  logApp(app, log)
  return serve({ name: 'beat', log, start: () => start(app, log) })
}

async function start(app: App, log: Log): Promise<Running> {
  const beat = await startBeat({ app, name: processName('beat', undefined) })
  const outage = new Outage({ log, probe: probeOf(app) })
  const quiet = app.on('trouble', ({ where, error }) => outage.trouble(where, error))
  tellBeat(beat.info, { app: app.name, log })
  logBeat(beat, { log, outage })
  return running(beat, async () => {
    quiet()
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
