import { setTimeout as sleep } from 'node:timers/promises'
import { App, currentRequest, every, QueueOnce, Task } from '../../src/index.js'
import { writeSlotLine } from './slot-log.js'

/** The app of the beat race, loaded by the test, its beats, its worker and that one's children; placed by the environment. */
export const PERIOD_MS = 100
/** Longer than a period: the next slot finds the key held. */
const BODY_MS = 130

function ran(): void {
  const log = process.env['BEAT_LOG']
  if (log) writeSlotLine(log, { event: 'ran', id: currentRequest().id, at: Date.now() })
}

class Tick extends Task {
  readonly name = 'tick'
  run(): void {
    ran()
  }
}

class Skipping extends QueueOnce {
  readonly name = 'skipping'
  readonly once = { keys: [], overlap: 'skip' } as const
  async run(): Promise<void> {
    ran()
    await sleep(BODY_MS)
  }
}

class Deferring extends QueueOnce {
  readonly name = 'deferring'
  readonly once = { keys: [], overlap: 'defer' } as const
  async run(): Promise<void> {
    ran()
    await sleep(BODY_MS)
  }
}

/** The time at which a slot of an entry is due, by other means than beat's own. */
export type IsDue = (at: Date) => boolean

/** Every instant at which an entry's slot can lie is a multiple of the period. */
export const RULES: Readonly<Record<string, IsDue>> = {
  latest: () => true,
  all: () => true,
  'all too': () => true,
  skipping: () => true,
  deferring: () => true,
  seconds: (at) => at.getUTCMilliseconds() === 0 && at.getUTCSeconds() % 2 === 0,
}

/** Whatever comes due is to run: nothing expires. The limit is below what the history keeps of a burst. */
const fast = { schedule: every(`${PERIOD_MS}ms`), options: { expires: '1h' } } as const
const madeUp = { catchUp: 'all', catchUpLimit: 60 } as const

export function beatApp(name: string, broker: string): App {
  const app = new App(name, {
    broker,
    beatSchedule: {
      latest: { ...fast, task: 'tick' },
      all: { ...fast, ...madeUp, task: 'tick' },
      'all too': { ...fast, ...madeUp, task: 'tick' },
      skipping: { ...fast, task: 'skipping' },
      deferring: { ...fast, task: 'deferring' },
      seconds: { ...fast, ...madeUp, schedule: '*/2 * * * * *', task: 'tick' },
    },
  })
  app.register(Tick)
  app.register(Skipping)
  app.register(Deferring)
  return app
}

export const app = beatApp(process.env['BEAT_APP'] ?? 'beats', process.env['BEAT_BROKER'] ?? 'memory:')
