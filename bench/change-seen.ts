import { startBeat } from '../src/beat/beat.js'
import { App, Task, timetable } from '../src/index.js'
import { until } from '../test/support/until.js'
import { figure, type Line, ms } from './line.js'
import { median } from './sample.js'

const BEATS = 3
const ROUNDS = 15
const HOUR_MS = 3_600_000
const ENTRY = 'changing'

class Nothing extends Task {
  readonly name = 'bench.nothing'
  run(): void {}
}

/** What a user of `timetable(app).change()` sees: from the call until the last of three beats goes by the new rule. */
export async function changeSeen(url: string, name: string): Promise<Line> {
  const operator = appOn(url)
  const beats = await Promise.all(
    Array.from({ length: BEATS }, (_, n) => startBeat({ app: appOn(url), name: `beat${n}` })),
  )
  try {
    const table = timetable(operator)
    const begin = Date.now()
    const instant = (round: number): string => new Date(begin + (round + 1) * HOUR_MS).toISOString()
    await table.add(ENTRY, { task: 'bench.nothing', schedule: `at ${instant(0)}` })
    const taken: number[] = []
    for (let round = 1; round <= ROUNDS; round += 1) {
      const askedAt = performance.now()
      await table.change(ENTRY, { schedule: `at ${instant(round)}` })
      const known = () => beats.every((beat) => beat.health().nextAt === instant(round))
      await until(known, { everyMs: 1, what: 'every beat to know the change' })
      taken.push(performance.now() - askedAt)
    }
    const what = `beat on ${name}: a change is known to each of ${BEATS} beats`
    return figure(what, `median ${ms(median(taken))}, max ${ms(Math.max(...taken))}`, '< 1 s')
  } finally {
    for (const beat of beats) await beat.stop()
    const { servers, store } = await operator.connection()
    await servers.scheduleStore.destroy()
    await store.destroy()
    await operator.close()
  }
}

function appOn(broker: string): App {
  const app = new App('bench-change', { broker })
  app.register(Nothing)
  return app
}
