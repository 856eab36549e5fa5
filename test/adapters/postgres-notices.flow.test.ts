import assert from 'node:assert/strict'
import { Client } from 'pg'
import { openLockStore } from '../../adapters/postgres/index.js'
import type { LockStore } from '../../src/lock/lock-store.js'
import { type LockStoreBench, sceneOf } from '../contract/lock-store/scene.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { until } from '../support/until.js'
import { benchOf, freshOptions } from './postgres-bench.js'

describe('notices of Postgres', () => {
  let server: PostgresServer
  let admin: Client
  let bench: LockStoreBench
  before(async () => {
    server = await startPostgres()
    admin = new Client(server.connection)
    await admin.connect()
  })
  beforeEach(async () => {
    bench = await benchOf(server, openLockStore)
  })
  afterEach(() => bench.close())
  after(async () => {
    await admin.end()
    await server.remove()
  })

  const backends = async (where: string): Promise<number> => {
    const { rows } = await admin.query(
      `select count(*)::int as n from pg_stat_activity where application_name = $1 and ${where}`,
      [`beatlock:${bench.app}`],
    )
    return (rows[0] as { n: number }).n
  }
  const listeners = async (): Promise<number> => {
    const { rows } = await admin.query('select count(*)::int as n from beatlock.listener where app = $1', [bench.app])
    return (rows[0] as { n: number }).n
  }

  it('[P23] come on one connection of the pool, whoever listens and however many', async () => {
    const { store } = bench
    const looks = Array.from({ length: 50 }, (_, n) => count(store, `message:m${n}`))
    await Promise.all(Array.from({ length: 50 }, () => store.now()))
    await until(() => looks.every(({ looked }) => looked > 0))
    assert.equal(await backends("query like 'listen %'"), 1)
    assert.ok((await backends('true')) <= 4)
  })

  it('leave a pool of one connection to the locks: then there are none', async () => {
    const options = freshOptions(server, { app: bench.app, poolSize: 1 })
    const store = await openLockStore(options)
    count(store, 'due')
    assert.ok((await store.now()) > 0)
    await store.close()
  })

  it('come again when the connection was lost, and everyone looks for what he missed', async () => {
    const look = count(await bench.another(), 'message:a')
    await until(() => look.looked === 1)
    await admin.query("select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen %'")
    await until(() => look.looked === 2, { what: 'a look after the reconnection' })
    await sceneOf(bench).revoke('a')
    await until(() => look.looked === 3, { what: 'the notice' })
  })

  it('are sent of messages that somebody waits for, and of these until they end', async () => {
    const scene = sceneOf(bench)
    const heard: string[] = []
    const { rows } = await admin.query('select beatlock.channel_v1($1) as channel', [bench.app])
    admin.on('notification', ({ payload }) => heard.push(payload ?? ''))
    await admin.query(`listen ${(rows[0] as { channel: string }).channel}`)
    const look = count(await bench.another(), 'message:b')
    await until(() => look.looked === 1)
    assert.equal(await listeners(), 1)
    for (const id of ['a', 'b', 'c']) await scene.acquire(id, { whenHeld: { do: 'park', capacity: 9, keep: 'all' } })
    for (const id of ['a', 'b', 'c']) await scene.release(id, null)
    await until(() => look.looked === 3)
    assert.equal(await listeners(), 0)
    await admin.query('unlisten *')
    assert.deepEqual(heard, ['message:b', 'message:b'])
  })

  it('that nobody came for are forgotten after a day', async () => {
    const look = count(await bench.another(), 'message:a')
    await until(() => look.looked === 1)
    await admin.query('update beatlock.listener set until = until - 86400000 where app = $1', [bench.app])
    await sceneOf(bench).sweep()
    assert.equal(await listeners(), 0)
  })

  it('too long to be sent cost no lock its step', async () => {
    const scene = sceneOf(bench)
    await scene.acquire('a')
    await scene.running('a', { worker: 'w'.repeat(9_000), leaseMs: 60_000 })
    assert.equal((await scene.clear({ running: 'cancel' })).cancelled.length, 1)
  })
})

function count(store: LockStore, topic: Parameters<LockStore['listen']>[0]): { looked: number } {
  const counted = { looked: 0 }
  store.listen(topic, () => {
    counted.looked += 1
  })
  return counted
}
