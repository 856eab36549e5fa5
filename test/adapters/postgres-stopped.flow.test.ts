import assert from 'node:assert/strict'
import { Client } from 'pg'
import { openLockStore } from '../../adapters/postgres/index.js'
import { takeSeat } from '../../adapters/postgres/statements/barrier.js'
import { lockInfo } from '../../src/task-base/locks.js'
import { KEY, LOCK_DELAY_MS, type Scene, sceneOf } from '../contract/lock-store/scene.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { until } from '../support/until.js'
import { benchOf } from './postgres-bench.js'

/** Ends when a test says so. */
const LEASE_MS = 60_000

describe('a Postgres session that keeps a key though nobody renews it', () => {
  let server: PostgresServer
  let scene: Scene
  let session: Client
  let admin: Client
  before(async () => {
    server = await startPostgres()
    admin = new Client(server.connection)
    await admin.connect()
  })
  after(async () => {
    await admin.end()
    await server.remove()
  })
  beforeEach(async () => {
    scene = sceneOf(await benchOf(server, openLockStore))
    session = await sitting(`beatlock:${scene.app}:w1@host`)
    await scene.running('a', { barrier: 'session', leaseMs: LEASE_MS })
    await scene.park('b')
  })
  afterEach(async () => {
    await session.end().catch(() => undefined)
    await scene.close()
  })

  /** A process of which no more is left than its session, with a seat of this key and of another slot. */
  async function sitting(name: string): Promise<Client> {
    const client = new Client({ ...server.connection, application_name: name })
    client.on('error', () => undefined)
    await client.connect()
    for (const slot of [0, 1]) await client.query(takeSeat('beatlock'), [scene.app, KEY, slot])
    return client
  }
  /** As if it had been granted so much earlier. */
  const leaseOver = (): Promise<unknown> =>
    admin.query(
      'update beatlock.lock_call set expires_at = expires_at - $2, due_at = due_at - $2 where app = $1 and token > 0',
      [scene.app, LEASE_MS + LOCK_DELAY_MS + 20],
    )
  const row = async () => (await scene.store.show(KEY))?.rows[0]
  const ids = (holders: readonly { readonly id: string }[]): string[] => holders.map(({ id }) => id)

  it('[P8] [P9] is left alone while the lease lives: force cancels the run', async () => {
    assert.equal((await row())?.barrierHeld, true)
    const answer = await scene.clear({ running: 'cancel' })
    assert.deepEqual([ids(answer.cancelled), answer.sessions], [['a'], []])
    await session.query('select 1')
  })

  it('[P8] is missed while the lease lives, and the key is kept all the same', async () => {
    await session.end()
    await until(async () => (await row())?.barrierHeld === false, { what: 'the end of the session' })
    const listed = await row()
    assert.ok(listed)
    const { alive, why } = await lockInfo(listed, { workers: [], engine: { state: async () => 'absent' } })
    assert.deepEqual([alive, why], [false, 'its session is gone'])
    assert.deepEqual(ids((await scene.clear()).kept), ['a'])
  })

  it('[P8] is shown, kept without force, and ended by it once lease and lock delay are over', async () => {
    await leaseOver()
    assert.equal((await row())?.barrierHeld, true)
    assert.deepEqual(ids((await scene.clear()).kept), ['a'])
    const ended = new Promise((resolve) => session.once('end', resolve))
    const answer = await scene.clear({ running: 'cancel' })
    assert.deepEqual(answer.sessions, [{ holder: 'a', worker: 'w1@host', outcome: 'ended', others: 1 }])
    assert.deepEqual([ids(answer.freed), answer.promotion?.messageId], [['a'], 'b'])
    await ended
    await scene.confirm('b')
    assert.equal((await scene.run('b', { barrier: 'session' })).outcome, 'granted')
  })

  it('[P8] of a run that was told to stop and does not hear it is ended by force all the same', async () => {
    await scene.clear({ running: 'cancel' })
    await leaseOver()
    assert.deepEqual(ids((await scene.clear({ running: 'cancel' })).freed), ['a'])
  })

  it('[P8] is ended at once where the hold is dropped', async () => {
    const answer = await scene.clear({ running: 'drop' })
    assert.deepEqual([answer.sessions[0]?.outcome, ids(answer.freed)], ['ended', ['a']])
    assert.equal((await row())?.holder, 'b')
  })

  it('[P9] keeps its key where this login may not end it, and says so', async () => {
    const role = `clerk_${scene.app.replaceAll('-', '_')}`
    await admin.query(`create role ${role} login password 'pw'; grant usage on schema beatlock to ${role};
      grant all on all tables in schema beatlock to ${role}; grant all on all sequences in schema beatlock to ${role}`)
    const connection = { ...server.connection, user: role, password: 'pw' }
    const store = await openLockStore({ app: scene.app, connection, server: 'here' })
    try {
      await leaseOver()
      for (const running of ['cancel', 'drop'] as const) {
        const answer = await sceneOf({ ...scene, store }).clear({ running })
        assert.deepEqual([answer.sessions[0]?.outcome, ids(answer.kept), answer.freed], ['denied', ['a'], []])
      }
      assert.equal((await row())?.barrierHeld, true)
      await session.query('select 1')
    } finally {
      await store.close()
    }
  })

  it('[P9] of somebody else is never ended, though it sits on the same number', async () => {
    await session.end()
    session = await sitting('payroll')
    await leaseOver()
    const answer = await scene.clear({ running: 'cancel' })
    assert.deepEqual([answer.sessions, ids(answer.kept)], [[], ['a']])
    await session.query('select 1')
  })
})
