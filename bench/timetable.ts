import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openScheduleStore as openFile } from '../adapters/file/index.js'
import { memoryServer, openMemory } from '../adapters/memory/index.js'
import { openScheduleStore as openOnPostgres } from '../adapters/postgres/index.js'
import { openScheduleStore as openOnRedis } from '../adapters/redis/index.js'
import { putOver } from '../src/beat/changeover.js'
import type { BeatEvents } from '../src/beat/event.js'
import { mergeConfig, merging } from '../src/beat/merge.js'
import type { EntryPut, ScheduleStore } from '../src/beat/schedule-store.js'
import { Scheduler } from '../src/beat/scheduler.js'
import { StoreClock } from '../src/beat/store-clock.js'
import { fireThrough, readingRows } from '../src/beat/timetable.js'
import { App, Task } from '../src/index.js'
import { createEmitter } from '../src/lock/emit.js'
import type { PostgresServer } from '../test/support/postgres-server.js'
import type { RedisServer } from '../test/support/redis-server.js'
import { changeSeen } from './change-seen.js'
import { jobSchedulers } from './job-scheduler.js'
import { figure, type Line, ms } from './line.js'
import { median, times } from './sample.js'

const ENTRIES = 100_000
const DUE = 1_000
/** Text is read once each; most large timetables have few different ones. */
const SCHEDULES = ['1h', '0 3 * * *', '*/15 * * * *', '30 6 * * mon-fri', '1d', '0 0 1 * *']

class Plain extends Task {
  readonly name = 'bench.tick'
  run(): void {}
}

/** A timetable of 100,000 entries on each store; then 1,000 slots that are due in the same second. */
export async function timetables(redis: RedisServer, postgres: PostgresServer): Promise<Line[]> {
  const folder = mkdtempSync(join(tmpdir(), 'beatlock-bench-'))
  const app = 'bench-beat'
  const lines: Line[] = []
  try {
    const stores: Record<string, () => Promise<ScheduleStore>> = {
      memory: async () => openMemory({ app, server: memoryServer() }).scheduleStore,
      Redis: () => openOnRedis({ app, url: redis.url, server: 'here' }),
      Postgres: () => openOnPostgres({ app, connection: postgres.connection, server: 'here' }),
      file: () => openFile({ app, path: join(folder, 'timetable') }),
    }
    for (const [name, open] of Object.entries(stores)) lines.push(...(await large(await open(), name)))
    lines.push(...(await jobSchedulers(redis, putOf)))
    lines.push(await dueAtOnce(redis.url, 'Redis'), await dueAtOnce(postgres.url, 'Postgres'))
    lines.push(await changeSeen(redis.url, 'Redis'), await changeSeen(postgres.url, 'Postgres'))
  } finally {
    rmSync(folder, { recursive: true })
  }
  return lines
}

async function large(store: ScheduleStore, name: string): Promise<Line[]> {
  const config = Array.from({ length: ENTRIES }, (_, n) => putOf(n))
  await mergeConfig(store, config)
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  const { scheduler } = schedulerOn(store, new App('bench-beat', { broker: 'memory:' }), config)
  const begin = performance.now()
  await scheduler.start()
  const startMs = performance.now() - begin
  await scheduler.tick()
  globalThis.gc?.()
  const bytes = Math.round((process.memoryUsage().heapUsed - before) / ENTRIES)
  const idle = await times(() => scheduler.tick(), 2_000)
  const change = {
    how: 'change',
    make: () => ({ ...putOf(700), spec: putOf(701).spec }),
    ruleOf: () => undefined,
  } as const
  const changes = await times(() => putOver(store, putOf(700).name, change), 200)
  await scheduler.stop()
  await store.destroy()
  await store.close()
  return [
    figure(`beat on ${name}: start with ${ENTRIES} entries`, `${ms(startMs)}, ${bytes} bytes an entry`, '< 2 s'),
    figure(`beat on ${name}: idle tick (median)`, `${(median(idle) * 1_000).toFixed(1)} µs`, '≤ 50 µs'),
    figure(`beat on ${name}: store one entry's change`, ms(median(changes)), '< 1 ms'),
  ]
}

function putOf(n: number): EntryPut {
  const schedule = SCHEDULES[n % SCHEDULES.length]
  return {
    name: `entry ${n}`,
    spec: JSON.stringify({ schedule, task: 'bench.tick', args: [n] }),
    config: `c${n}`,
    maxRuns: null,
  }
}

/** Its start compares the store with the configuration, as each beat's does. */
function schedulerOn(store: ScheduleStore, app: App, config: readonly EntryPut[] = []) {
  app.register(Plain)
  const clock = new StoreClock()
  const events = createEmitter<BeatEvents>()
  const scheduler = new Scheduler({
    store,
    merge: () => merging(store, config),
    entryOf: readingRows(app, []),
    fire: fireThrough(app),
    by: 'bench',
    host: { name: 'bench', host: 'here', pid: process.pid, startedAt: Date.now(), edition: null },
    now: () => clock.now(),
    observe: (now) => clock.observe(now),
    emit: events.emit,
  })
  return { scheduler, events }
}

/** 1,000 entries with one slot each, all in the same instant: how late the last and the median go out. */
async function dueAtOnce(url: string, name: string): Promise<Line> {
  const app = new App('bench-due', { broker: url })
  const { servers } = await app.connection()
  const store = servers.scheduleStore
  const { scheduler, events } = schedulerOn(store, app)
  const at = new Date(Math.ceil((await store.now()) / 1_000) * 1_000 + 2_000)
  const entry = (n: number): EntryPut => {
    const spec = JSON.stringify({
      schedule: `at ${at.toISOString()}`,
      task: 'bench.tick',
      args: [n],
      options: { expires: '1h' },
    })
    return { name: `due ${n}`, spec, config: null, maxRuns: null }
  }
  await store.put(
    Array.from({ length: DUE }, (_, n) => entry(n)),
    'add',
  )
  await scheduler.start()
  const late: number[] = []
  events.on('beat:decided', () => void late.push(Date.now() - at.getTime()))
  while (late.length < DUE) {
    const waitMs = await scheduler.tick()
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
  }
  late.sort((a, b) => a - b)
  const [half, p99, last] = [0.5, 0.99, 1].map((share) => late[Math.ceil(share * DUE) - 1] ?? Number.NaN)
  await scheduler.stop()
  await servers.engine.destroy(['default'])
  await store.destroy()
  await (await app.connection()).store.destroy()
  await app.close()
  return figure(
    `beat on ${name}: ${DUE} slots due at once`,
    `all after ${ms(last ?? 0)}, median ${ms(half ?? 0)}, p99 ${ms(p99 ?? 0)}`,
    '< 1 s',
  )
}
