import { App, every, QueueOnce, Task } from '../../src/index.js'

export const PERIOD_MS = 50
/** Nobody runs them: what is published stays with the engine and can be counted. */
export const QUEUE = 'nobody'

class Tick extends Task {
  readonly name = 'tick'
  run(): void {}
}

class Guarded extends QueueOnce {
  readonly name = 'guarded'
  readonly once = { keys: [], overlap: 'skip' } as const
  run(): void {}
}

/** Three fast entries: what is missed is dropped, what is missed is made up, and one whose key is held. */
export function beatApp(name: string, broker: string): App {
  const fast = { schedule: every(`${PERIOD_MS}ms`), options: { queue: QUEUE } } as const
  const app = new App(name, {
    broker,
    beatSchedule: {
      latest: { ...fast, task: 'tick' },
      all: { ...fast, task: 'tick', catchUp: 'all', catchUpLimit: 1_000 },
      guarded: { ...fast, task: 'guarded' },
    },
  })
  app.register(Tick)
  app.register(Guarded)
  return app
}
