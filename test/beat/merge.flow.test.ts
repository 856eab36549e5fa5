import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { Client } from 'pg'
import { openScheduleStore as openOnPostgres } from '../../adapters/postgres/index.js'
import { openScheduleStore as openOnRedis } from '../../adapters/redis/index.js'
import { Configuring } from '../../src/beat/configuring.js'
import type { BeatEvents } from '../../src/beat/event.js'
import { every } from '../../src/beat/every.js'
import type { EntryPut, EntryRow, ScheduleStore } from '../../src/beat/schedule-store.js'
import { Scheduler } from '../../src/beat/scheduler.js'
import { createEmitter } from '../../src/lock/emit.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { withRedis } from '../support/redis-client.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'
import { entryOf, putOf } from './beat-bench.js'

const HOST = { name: 'beat', host: 'here', pid: 1, startedAt: 1 }
const MANY = 150

/** A server, and what its administrator does with its data. */
interface Place {
  open(app: string): Promise<ScheduleStore>
  /** Answers how to bring back what is there now. */
  backUp(): Promise<() => Promise<void>>
}

describe('a timetable on a server', function () {
  this.timeout(120_000)
  let redis: RedisServer
  let postgres: PostgresServer
  before(async () => {
    ;[redis, postgres] = await Promise.all([startRedis(), startPostgres()])
  })
  after(async () => {
    await redis.stop()
    await postgres.remove()
  })
  const places: Readonly<Record<string, Place>> = {
    Redis: {
      open: (app) => openOnRedis({ app, url: redis.url, server: 'here' }),
      backUp: () => dumpOf(redis),
    },
    Postgres: {
      open: (app) => openOnPostgres({ app, connection: postgres.connection, server: 'here' }),
      backUp: () => copyOf(postgres),
    },
  }

  for (const [name, place] of Object.entries(places)) {
    it(`[P14] [${name}] holds one whole configuration when two versions merge theirs at once, over many connections`, async () => {
      const stores = await opened(place, 6)
      const versions = stores.map((store, n) => versionOf(store, `b${n}`, n % 2 === 0 ? 'old' : 'new'))
      const started = await Promise.allSettled(versions.map(({ scheduler }) => scheduler.start()))
      assert.deepEqual(new Set(started.map(({ status }) => status)), new Set(['fulfilled']))
      const [store] = stores as [ScheduleStore]
      const { edition } = await store.attend({ by: 'b0', report: null, leadMs: null })
      const inForce = versions.find(({ configuring }) => configuring.edition === edition)
      assert.ok(inForce)
      const rows = await liveRows(store)
      assert.deepEqual(
        rows.map((row) => [row.name, row.config]).toSorted(),
        inForce.config.map((line) => [line.name, line.config]).toSorted(),
      )
      await closed(stores)
    })

    it(`[${name}] that went back to an earlier state is read anew by a beat that remembers a later one`, async () => {
      const stores = await opened(place, 2)
      const [store, commands] = stores as [ScheduleStore, ScheduleStore]
      const { scheduler, events, fired, configuring } = versionOf(store, 'b0', 'old')
      await commands.put([putOf('by hand', { spec: '"1s"' }), putOf('other', { spec: '"1h"' })], 'add')
      await scheduler.start()
      await ticksUntil(scheduler, () => fired.includes('by hand'))
      const restore = await place.backUp()
      await commands.alter('by hand', { to: 'removed', config: null })
      await commands.alter('other', { to: 'disabled' })
      await ticksUntil(scheduler, () => scheduler.health().entries === MANY + 1)
      await restore()
      fired.length = 0
      await ticksUntil(scheduler, () => events.length > 0 && fired.includes('by hand'))
      assert.equal(scheduler.health().entries, MANY + 2)
      assert.ok(events.every(({ seen, revision }) => seen > revision))
      const attended = await store.attend({ by: 'b0', report: null, leadMs: null })
      assert.equal(attended.edition, configuring.edition)
      await closed(stores)
    })
  }

  it('[Redis] that was emptied holds the configuration again within a poll, without what was added at run time', async () => {
    const stores = await opened(places['Redis'] as Place, 2)
    const [store, commands] = stores as [ScheduleStore, ScheduleStore]
    const { scheduler, config } = versionOf(store, 'b0', 'old')
    await commands.put([putOf('by hand', { spec: '"1s"' })], 'add')
    await scheduler.start()
    await scheduler.tick()
    await withRedis(redis, (client) => client.flushall())
    await ticksUntil(scheduler, async () => (await liveRows(commands)).length === config.length)
    assert.equal(await commands.show('by hand'), null)
    assert.equal(scheduler.health().entries, config.length)
    await closed(stores)
  })
})

/** Two thirds of the lines are the same in both versions, or differ in their schedule; a third is in one only. */
function linesOf(version: 'old' | 'new'): EntryPut[] {
  return Array.from({ length: MANY }, (_, n) => {
    const own = n % 3 === 0 ? version : 'both'
    const spec = n % 3 === 1 ? (version === 'old' ? '"1h"' : '"2h"') : '"3h"'
    return putOf(`${own} ${n}`, { spec, config: spec })
  })
}

function versionOf(store: ScheduleStore, by: string, version: 'old' | 'new') {
  const config = linesOf(version)
  const emitter = createEmitter<BeatEvents>()
  const events: BeatEvents['beat:wentBack'][] = []
  emitter.on('beat:wentBack', (event) => void events.push(event))
  const read = ({ name, spec }: EntryRow) => entryOf(name, every(JSON.parse(spec) as '1h'))
  const configuring = new Configuring({ store, config, ruleOf: read, by, host: HOST, emit: emitter.emit })
  const fired: string[] = []
  const scheduler = new Scheduler<null>({
    store,
    by,
    host: { ...HOST, edition: configuring.edition },
    entryOf: read,
    merge: () => configuring.merging(),
    mergeDue: (inForce) => configuring.isDue(inForce),
    fire: async ({ name }) => {
      fired.push(name)
      return { decision: 'published', holder: null }
    },
    now: Date.now,
    emit: emitter.emit,
    pollMs: 20,
  })
  return { scheduler, configuring, config, events, fired }
}

async function ticksUntil(scheduler: Scheduler<null>, condition: () => boolean | Promise<boolean>): Promise<void> {
  await until(async () => {
    await scheduler.tick()
    return condition()
  })
}

async function liveRows(store: ScheduleStore): Promise<readonly EntryRow[]> {
  const { rows } = await store.changes(0, 500)
  return rows.filter(({ state }) => state !== 'removed')
}

function opened(place: Place, count: number): Promise<ScheduleStore[]> {
  const app = `merge-${randomUUID()}`
  return Promise.all(Array.from({ length: count }, () => place.open(app)))
}

async function closed(stores: readonly ScheduleStore[]): Promise<void> {
  await stores[0]?.destroy()
  await Promise.all(stores.map((store) => store.close()))
}

/** All keys as they are now. */
function dumpOf(server: RedisServer): Promise<() => Promise<void>> {
  return withRedis(server, async (redis) => {
    const keys = await redis.keys('*')
    const dumps = await Promise.all(keys.map((key) => redis.dumpBuffer(key)))
    return () =>
      withRedis(server, async (client) => {
        const back = client.multi().flushall()
        for (const [n, key] of keys.entries()) back.restore(key, 0, dumps[n] as Buffer)
        await back.exec()
      })
  })
}

const TABLES = ['schedule_app', 'schedule_entry', 'schedule_decision'].map((table) => [table, `backup_${table}`])

async function copyOf(server: PostgresServer): Promise<() => Promise<void>> {
  const run = async (sql: readonly string[]): Promise<void> => {
    const client = new Client(server.connection)
    await client.connect()
    await client.query(['begin', ...sql, 'commit'].join(';'))
    await client.end()
  }
  await run(TABLES.map(([table, copy]) => `create table ${copy} as select * from beatlock.${table}`))
  return () =>
    run(
      TABLES.flatMap(([table, copy]) => [
        `delete from beatlock.${table}`,
        `insert into beatlock.${table} select * from ${copy}`,
        `drop table ${copy}`,
      ]),
    )
}
