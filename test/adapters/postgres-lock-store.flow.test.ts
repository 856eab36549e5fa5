import assert from 'node:assert/strict'
import { Client } from 'pg'
import { openLockStore, type PostgresOptions } from '../../adapters/postgres/index.js'
import { lockKey } from '../../src/lock/key.js'
import type { LockStore } from '../../src/lock/lock-store.js'
import {
  acquiring,
  KEY,
  releasing,
  renewal,
  runStep,
  type Scene,
  sceneOf,
  termsOf,
} from '../contract/lock-store/scene.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { until } from '../support/until.js'
import { benchOf, freshOptions } from './postgres-bench.js'
import { startWire, type Wire } from './postgres-wire.js'

const OTHER = lockKey('suite.task', '[2]')

describe('the Postgres lock store', () => {
  let server: PostgresServer
  let admin: Client
  /** Another one than `admin`, since within a transaction pg_stat_activity stands still. */
  let watcher: Client
  let scene: Scene
  before(async () => {
    server = await startPostgres()
    admin = new Client(server.connection)
    watcher = new Client(server.connection)
    await admin.connect()
    await watcher.connect()
  })
  after(async () => {
    await admin.end()
    await watcher.end()
    await server.remove()
  })
  beforeEach(async () => {
    scene = sceneOf(await benchOf(server, openLockStore))
  })
  afterEach(() => scene.close())

  /** Runs `work` while an administrator's transaction keeps a key's row locked, and ends it when `work` says so. */
  async function whileLocked<T>(key: string, work: (unlock: () => Promise<unknown>) => Promise<T>): Promise<T> {
    await admin.query('begin')
    try {
      await admin.query('select from beatlock.lock_key where app = $1 and key = $2 for update', [scene.app, key])
      return await work(() => admin.query('commit'))
    } finally {
      await admin.query('commit')
    }
  }

  const waiting = (what: string) =>
    until(
      async () =>
        (
          await watcher.query("select from pg_stat_activity where wait_event_type = 'Lock' and query like $1", [
            `%${what}%`,
          ])
        ).rowCount,
      { what: `${what} to wait for a lock` },
    )

  it('finds a key by its name, never among all that its app has, also while the tables are young', async () => {
    const store = await openLockStore(freshOptions(server, { schema: 'young', poolSize: 1 }))
    for (let n = 0; n < 20; n += 1) {
      const key = lockKey('suite.task', `[${n}]`)
      await store.acquire(acquiring('a', { key }))
      await store.acquire(acquiring('b', { key, whenHeld: { do: 'park', capacity: 1, keep: 'first' } }))
      await store.confirm([{ key, messageId: 'a', round: 1 }])
      const run = await store.advance(runStep('a', { key }))
      assert.ok(run.outcome === 'granted')
      await store.renew({ worker: null, leases: [{ ...renewal('a', run.token), key }], acked: [] })
      await store.release(releasing('a', run.token, { key }))
    }
    await store.close()
    const scans = async (): Promise<Record<string, number>> => {
      const { rows } = await watcher.query<{ name: string; scans: number }>(
        "select indexrelname as name, idx_scan::int as scans from pg_stat_user_indexes where schemaname = 'young'",
      )
      return Object.fromEntries(rows.map(({ name, scans }) => [name, scans]))
    }
    const seen = await until(
      async () => {
        const now = await scans()
        return (now['lock_call_pkey'] ?? 0) > 0 ? now : undefined
      },
      { what: 'the closed session to tell what it scanned' },
    )
    for (const name of ['lock_call_due', 'lock_outcome_due', 'lock_key_used', 'lock_event_due']) {
      assert.equal(seen[name], 0, name)
    }
  })

  it('[P18] a call parked while a release runs is never lost', async () => {
    const other = await scene.another()
    const outcomes = new Set<string>()
    for (let n = 0; n < 200; n += 1) {
      await scene.acquire(`a${n}`)
      const token = await scene.running(`a${n}`)
      const park = acquiring(`b${n}`, { whenHeld: { do: 'park', capacity: 1, keep: 'first' } })
      const [released, parked] = await Promise.all([scene.release(`a${n}`, token), other.acquire(park)])
      outcomes.add(parked.outcome)
      assert.ok(released.outcome === 'released')
      const promoted = released.promotion?.messageId
      assert.equal(promoted, parked.outcome === 'parked' ? `b${n}` : undefined, parked.outcome)
      await scene.release(`b${n}`, null, { outcome: 'revoked' })
    }
    assert.deepEqual([...outcomes].sort(), ['granted', 'parked'], 'both orders were met')
  })

  it('[P9] a lease whose key is busy is neither lost nor in the way of the others', async () => {
    const busy = await scene.running('a', { leaseMs: 10_000 })
    const free = await scene.running('b', { key: OTHER, leaseMs: 10_000 })
    const leases = [
      { key: KEY, messageId: 'a', token: busy, leaseMs: 20_000, limit: 1, label: '' },
      { key: OTHER, messageId: 'b', token: free, leaseMs: 20_000, limit: 1, label: '' },
    ]
    const outcomes = async () =>
      (await scene.store.renew({ worker: null, leases, acked: [] })).leases.map((lease) => lease.outcome)
    await whileLocked(KEY, async () => assert.deepEqual(await outcomes(), ['busy', 'renewed']))
    const renewed = await whileLocked(KEY, async (unlock) => {
      const answer = outcomes()
      await waiting('renew_v1')
      await unlock()
      return await answer
    })
    assert.deepEqual(renewed, ['renewed', 'renewed'], 'asked again alone, it waits its turn')
  })

  it('[P24] a key that stays busy for 2 s is an unavailable store, not a refusal', async () => {
    await scene.acquire('a')
    const answer = whileLocked(KEY, () => scene.acquire('b'))
    await assert.rejects(answer, { code: 'STORE_UNAVAILABLE', name: 'StoreUnavailable' })
  })

  it('[P21] a statement whose connection dies is sent again on a new one', async () => {
    await scene.acquire('warm', { key: OTHER })
    await scene.acquire('a')
    const answer = await whileLocked(KEY, async (unlock) => {
      const acquired = scene.acquire('b')
      await waiting('acquire_v1')
      await watcher.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where query like '%acquire_v1%' and pid <> pg_backend_pid()",
      )
      await unlock()
      return await acquired
    })
    assert.equal(answer.outcome, 'refused')
  })

  it('a deadlock with somebody else is repeated', async () => {
    const keys = [KEY, OTHER].sort()
    const [first, second] = [keys[0] as typeof KEY, keys[1] as typeof KEY]
    await scene.acquire('a', { key: first })
    await scene.acquire('b', { key: second })
    /** Postgres ends whichever of the two it finds waiting in the circle first: only the store's end is a test of it. */
    const storeIsEnded = (): Promise<boolean> =>
      whileLocked(second, async (unlock) => {
        const confirmed = scene.store.confirm([
          { key: second, messageId: 'b', round: 1 },
          { key: first, messageId: 'a', round: 1 },
        ])
        await waiting('confirm_v1')
        const rowOfFirst = 'select from beatlock.lock_key where app = $1 and key = $2 for update'
        const ended = await admin.query(rowOfFirst, [scene.app, first]).then(
          () => true,
          (error: { code?: string }) => error.code !== '40P01' && Promise.reject(error),
        )
        await unlock()
        await confirmed
        return ended
      })
    await until(storeIsEnded, { what: 'a deadlock that ends the store’s statement', timeoutMs: 15_000 })
    assert.equal((await scene.store.find('a', first)).hold?.stage, 'queued')
    assert.equal((await scene.store.find('b', second)).hold?.stage, 'queued')
  })

  it('[P23] forgets keys after seven idle days, outcomes when due, workers after a day, and nothing before', async () => {
    const count = async (table: string) =>
      (await admin.query(`select from beatlock.${table} where app = $1`, [scene.app])).rowCount
    await scene.acquire('a')
    await scene.release('a', await scene.running('a'))
    const row = { name: 'w1', host: 'h', pid: 1, queues: [], tasks: [], guards: {}, version: '1', concurrency: 1 }
    await scene.store.renew({ worker: { ...row, app: '', startedAt: 0, seenAt: 0 }, leases: [], acked: [] })
    const counts = async () => [await count('lock_key'), await count('lock_outcome'), await count('worker')]

    await admin.query('update beatlock.lock_key set used_on = current_date - 8 where app = $1', [scene.app])
    await scene.sweep()
    assert.deepEqual(await counts(), [1, 1, 1], 'a key with an outcome stays')
    await admin.query('update beatlock.lock_outcome set keep_until = 1, result_until = 1 where app = $1', [scene.app])
    await admin.query('update beatlock.worker set seen_at = 1 where app = $1', [scene.app])
    await admin.query('update beatlock.lock_key set used_on = current_date - 6 where app = $1', [scene.app])
    await scene.sweep()
    assert.deepEqual(await counts(), [1, 0, 0], 'a key keeps its last token')
    await admin.query('update beatlock.lock_key set used_on = current_date - 8 where app = $1', [scene.app])
    await scene.sweep()
    assert.deepEqual(await counts(), [0, 0, 0])
  })

  it('[P23] forgets what happened to holds after seven days, and the key of a call without a lock with it', async () => {
    const key = 'suite.task:~m1' as typeof KEY
    await scene.acquire('m1', { key, terms: termsOf({ guarded: false }) })
    await scene.clear({ key })
    await scene.acquire('a')
    await scene.clear()
    const events = async () => (await scene.store.show(KEY))?.history.length ?? 0
    const age = (days: number) =>
      admin.query('update beatlock.lock_event set at = beatlock.clock_v1() - $2::bigint where app = $1', [
        scene.app,
        days * 86_400_000,
      ])
    await age(6)
    await scene.sweep()
    assert.equal(await events(), 1)
    await admin.query('update beatlock.lock_key set used_on = current_date - 8 where app = $1', [scene.app])
    await scene.sweep()
    assert.equal(await events(), 1, 'a key with a history is not idle')
    await age(7)
    await admin.query('update beatlock.lock_key set used_on = current_date where app = $1', [scene.app])
    await scene.sweep()
    const left = await admin.query('select key from beatlock.lock_key where app = $1', [scene.app])
    assert.deepEqual([await events(), left.rows], [0, [{ key: KEY }]], 'a guarded key keeps its last token')
  })

  it('a message whose outcome is forgotten may ask again while its earlier hold cools', async () => {
    const terms = termsOf({ mode: 'untilExpired', limit: 2 })
    await scene.release('a', await scene.running('a', { terms }))
    await admin.query('delete from beatlock.lock_outcome where app = $1', [scene.app])
    assert.equal((await scene.acquire('a', { terms })).outcome, 'granted')
    await scene.release('a', await scene.running('a', { terms }))
    assert.deepEqual(
      (await scene.store.show(KEY))?.rows.map((row) => row.stage),
      ['cooling', 'cooling'],
    )
  })

  it('a sweep gives a parked call its turn that another one made free in passing', async () => {
    await scene.acquire('a')
    await scene.confirm('a')
    await scene.park('b')
    const latest = { do: 'park', capacity: 1, keep: 'latest' } as const
    assert.equal((await scene.acquire('c', { whenHeld: latest, terms: termsOf({ limit: 2 }) })).outcome, 'coalesced')
    assert.deepEqual(
      (await scene.sweep()).promotions.map((promotion) => promotion.messageId),
      ['b'],
    )
    const left = await admin.query('select from beatlock.lock_key where app = $1 and unsettled', [scene.app])
    assert.equal(left.rowCount, 0, 'and does not look again')
  })

  it("[P23] the key of a call without a lock goes with the call's outcome", async () => {
    const key = 'suite.task:~m1' as typeof KEY
    const token = await scene.running('m1', { key, terms: termsOf({ guarded: false }) })
    await scene.release('m1', token, { key })
    await admin.query('update beatlock.lock_outcome set keep_until = 1, result_until = 1 where app = $1', [scene.app])
    await scene.sweep()
    assert.equal((await admin.query('select from beatlock.lock_key where app = $1', [scene.app])).rowCount, 0)
  })

  it('a server is reached by its Unix socket as well', async () => {
    const store = await openLockStore(freshOptions(server, { connection: server.socketConnection }))
    assert.ok((await store.now()) > 0)
    await store.close()
  })
})

describe('round trips of the Postgres lock store', () => {
  let server: PostgresServer
  let wire: Wire
  before(async () => {
    server = await startPostgres()
    wire = await startWire(server.connection.port)
  })
  after(async () => {
    await wire.close()
    await server.remove()
  })

  it('[P23] every verb is one', async () => {
    const connection = { ...server.connection, port: wire.port }
    const bench = await benchOf(server, (options: PostgresOptions) => openLockStore({ ...options, connection }))
    const scene = sceneOf(bench)
    const cost = async (verb: () => Promise<unknown>) => {
      const before = wire.trips()
      await verb()
      return wire.trips() - before
    }
    let token = 0
    const verbs: Record<string, () => Promise<unknown>> = {
      now: () => scene.store.now(),
      acquire: () => scene.acquire('a'),
      park: () => scene.park('b'),
      confirm: () => scene.confirm('a'),
      'advance to running': async () => (token = await scene.running('a')),
      renew: () => scene.renew('a', token),
      'advance to queued': () => scene.requeue('a', token),
      release: () => scene.release('a', null),
      sweep: () => scene.sweep(),
      list: () => firstOf(scene.store),
      show: () => scene.store.show(KEY),
      find: () => scene.store.find('a', null),
      'replace in queue': () => scene.acquire('c', { whenHeld: { do: 'replace', minRunMs: 0 } }),
      revoke: () => scene.revoke('c', { key: null }),
      clear: () => scene.clear({ parked: true }),
      workers: () => scene.store.workers({ allApps: false }),
    }
    for (const [name, verb] of Object.entries(verbs)) assert.equal(await cost(verb), 1, name)
    await bench.close()
  })

  it('opening costs one where the schema is there', async () => {
    const before = wire.trips()
    const store = await openLockStore(freshOptions(server, { connection: { ...server.connection, port: wire.port } }))
    assert.equal(wire.trips() - before, 1)
    await store.close()
  })
})

describe('[P24] a Postgres server that is away', () => {
  let server: PostgresServer
  before(async () => {
    server = await startPostgres()
  })
  after(() => server.remove())

  it('is StoreUnavailable for every verb, and serves again once it is back', async () => {
    const bench = await benchOf(server, openLockStore)
    const scene = sceneOf(bench)
    await scene.acquire('a')
    await server.stop('immediate')
    const away = { code: 'STORE_UNAVAILABLE', name: 'StoreUnavailable' }
    for (const verb of [
      () => scene.acquire('b'),
      () => scene.confirm('a'),
      () => scene.run('a'),
      () => scene.renew('a', 1),
      () => scene.release('a', null),
      () => scene.sweep(),
      () => scene.revoke('a'),
      () => scene.store.find('a', null),
      () => scene.store.now(),
      () => openLockStore(freshOptions(server)),
    ]) {
      await assert.rejects(verb(), away)
    }
    await server.restart()
    assert.equal((await scene.acquire('a')).outcome, 'granted')
    assert.equal((await scene.acquire('b')).outcome, 'refused')
    await bench.close()
  })

  it('a restart between two verbs is not noticed', async () => {
    const bench = await benchOf(server, openLockStore)
    const scene = sceneOf(bench)
    await Promise.all(['a', 'b', 'c'].map((id) => scene.acquire(id)))
    await server.restart()
    assert.equal((await scene.acquire('d')).outcome, 'refused')
    await bench.close()
  })
})

async function firstOf(store: LockStore): Promise<unknown> {
  for await (const row of store.list({})) return row
  return undefined
}
