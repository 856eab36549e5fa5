import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Client } from 'pg'
import { openBarrier, openLockStore, type PostgresBarrierOptions } from '../../adapters/postgres/index.js'
import type { Barrier, Seat } from '../../src/lock/barrier.js'
import type { Doubt } from '../../src/lock/doubt.js'
import { barrierContract } from '../contract/barrier.contract.js'
import {
  KEY,
  LEASE_MS,
  LOCK_DELAY_MS,
  PUBLISH_LEASE_MS,
  RESULT_MS,
  sceneOf,
  termsOf,
} from '../contract/lock-store/scene.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { until } from '../support/until.js'
import { benchOf, freshOptions } from './postgres-bench.js'
import { startWire } from './postgres-wire.js'

const SEAT: Seat = { key: KEY, slot: 0 }

describe('the Postgres session barrier', () => {
  let server: PostgresServer
  let admin: Client
  let options: PostgresBarrierOptions
  let opened: Barrier[]
  before(async () => {
    server = await startPostgres()
    admin = new Client(server.connection)
    await admin.connect()
  })
  after(async () => {
    await admin.end()
    await server.remove()
  })
  beforeEach(() => {
    options = freshOptions(server, { name: 'w1@host' })
    opened = []
  })
  afterEach(() => Promise.all(opened.map((barrier) => barrier.close())))

  async function open(over: Partial<PostgresBarrierOptions> = {}): Promise<Barrier> {
    const barrier = await openBarrier({ ...options, ...over })
    opened.push(barrier)
    return barrier
  }

  /** Process ids of the sessions of this test's barriers. */
  async function sessions(): Promise<number[]> {
    const { rows } = await admin.query('select pid from pg_stat_activity where application_name like $1', [
      `beatlock:${options.app}%`,
    ])
    return rows.map((row) => row.pid as number)
  }

  async function terminate(): Promise<void> {
    for (const pid of await sessions()) await admin.query('select pg_terminate_backend($1)', [pid])
  }

  barrierContract({ describe, it }, async () => ({
    open: (other) => open(other ? { app: `${options.app}-other` } : {}),
    close: async () => void (await Promise.all(opened.splice(0).map((barrier) => barrier.close()))),
  }))

  it('takes and drops many seats at once over its one connection, without a warning of the client', async () => {
    const barrier = await open()
    const warned: Error[] = []
    const note = (warning: Error) => void warned.push(warning)
    process.on('warning', note)
    try {
      const seats = Array.from({ length: 50 }, (_, slot) => ({ key: KEY, slot }))
      const answers = await Promise.all(seats.map((seat) => barrier.take(seat)))
      assert.deepEqual([...new Set(answers)], ['taken'])
      await Promise.all(seats.map((seat) => barrier.drop(seat)))
      const again = await Promise.all(seats.map((seat) => barrier.take(seat)))
      assert.deepEqual([...new Set(again)], ['taken'])
      await new Promise((resolve) => setImmediate(resolve))
      assert.deepEqual(warned, [])
    } finally {
      process.off('warning', note)
    }
  })

  it('keeps a seat from every other session until it is dropped', async () => {
    const [one, two] = [await open(), await open()]
    assert.equal(await one.take(SEAT), 'taken')
    assert.equal(await two.take(SEAT), 'refused')
    assert.equal(await two.take({ key: KEY, slot: 1 }), 'taken', 'another seat of the key is free')
    await two.drop(SEAT)
    assert.equal(await two.take(SEAT), 'refused', 'who does not hold it drops nothing')
    await one.drop(SEAT)
    assert.equal(await two.take(SEAT), 'taken')
  })

  it('[P13] a seat that this process holds is refused to it, also while it is being taken', async () => {
    const barrier = await open()
    const answers = await Promise.all([barrier.take(SEAT), barrier.take(SEAT)])
    assert.deepEqual(answers.sort(), ['refused', 'taken'])
    assert.equal(await barrier.take(SEAT), 'refused')
    await barrier.drop(SEAT)
    assert.equal(await (await open()).take(SEAT), 'taken', 'one drop is enough')
  })

  it("does not meet another app's or another schema's seats", async () => {
    assert.equal(await (await open()).take(SEAT), 'taken')
    assert.equal(await (await open({ app: `${options.app}-other` })).take(SEAT), 'taken')
    assert.equal(await (await open({ schema: 'other' })).take(SEAT), 'taken')
  })

  it('[P8] a seat is free at once when its process is killed', async () => {
    const holder = fork(new URL('./postgres-barrier-holder.js', import.meta.url), [JSON.stringify(options)])
    const ended = once(holder, 'exit')
    try {
      assert.deepEqual(await once(holder, 'message'), ['taken', undefined])
      const barrier = await open()
      assert.equal(await barrier.take(SEAT), 'refused')
      holder.kill('SIGKILL')
      await ended
      await until(async () => (await barrier.take(SEAT)) === 'taken', { timeoutMs: 1_000, what: 'the seat to be free' })
    } finally {
      holder.kill('SIGKILL')
    }
  })

  it('is one connection, named after app and worker, with its seats retaken in one statement after a loss', async () => {
    const wire = await startWire(server.connection.port)
    const barrier = await open({ connection: { ...server.connection, port: wire.port } })
    const lost: Seat[] = []
    barrier.onLost((seat) => lost.push(seat))
    for (let slot = 0; slot < 50; slot += 1) await barrier.take({ key: KEY, slot })
    const [first] = await sessions()
    const trips = wire.trips()
    await terminate()
    const second = await until(async () => (await sessions()).find((pid) => pid !== first))
    await until(async () => (await locksOf(admin, second)) === 50, { what: '50 seats to be retaken' })
    assert.equal(wire.trips() - trips, 3, 'who am I, end the earlier one, retake')
    assert.deepEqual(lost, [])
    assert.equal(await (await open()).take({ key: KEY, slot: 49 }), 'refused')
    await until(() => barrier.take({ key: KEY, slot: 50 }).catch(() => false), { what: 'the barrier to serve again' })
    await barrier.close()
    await wire.close()
  })

  it('ends its own earlier session, which has not heard of the loss, before it retakes', async () => {
    const wire = await startWire(server.connection.port)
    const barrier = await open({ connection: { ...server.connection, port: wire.port } })
    const lost: Seat[] = []
    barrier.onLost((seat) => lost.push(seat))
    await barrier.take(SEAT)
    const [first] = await sessions()
    wire.cutClients()
    await until(async () => {
      const now = await sessions()
      return now.length === 1 && now[0] !== first && (await locksOf(admin, now[0] as number)) === 1
    })
    assert.deepEqual(lost, [])
    await barrier.close()
    await wire.close()
  })

  it('tells a seat that somebody else got meanwhile as lost, once', async () => {
    const barrier = await open()
    const lost: Seat[] = []
    barrier.onLost((seat) => lost.push(seat))
    await barrier.take(SEAT)
    await barrier.take({ key: KEY, slot: 1 })
    const rival = new Client(server.connection)
    await rival.connect()
    const got = rival.query('select pg_advisory_lock(beatlock.barrier_id_v1($1, $2, $3))', [options.app, KEY, 0])
    await until(
      async () => (await admin.query("select from pg_locks where locktype = 'advisory' and not granted")).rowCount,
    )
    await terminate()
    await got
    await until(() => lost.length > 0)
    await until(() => barrier.take({ key: KEY, slot: 2 }).catch(() => false))
    assert.deepEqual(lost, [SEAT])
    assert.equal(await barrier.take({ key: KEY, slot: 1 }), 'refused', 'the other seat is still held')
    await rival.end()
    assert.equal(await until(async () => (await barrier.take(SEAT)) === 'taken'), true, 'lost is no longer held')
  })

  it('a seat dropped while the connection is away stays free', async () => {
    const barrier = await open()
    await barrier.take(SEAT)
    await barrier.take({ key: KEY, slot: 1 })
    await terminate()
    await barrier.drop(SEAT)
    await until(async () => (await barrier.take({ key: KEY, slot: 2 }).catch(() => 'refused')) === 'taken')
    const other = await open()
    assert.equal(await other.take(SEAT), 'taken')
    assert.equal(await other.take({ key: KEY, slot: 1 }), 'refused')
  })

  it('a seat dropped while it is being retaken is given back', async () => {
    const wire = await startWire(server.connection.port)
    const barrier = await open({ connection: { ...server.connection, port: wire.port } })
    await barrier.take(SEAT)
    const letRepliesThrough = wire.holdRepliesAt(wire.trips() + 3)
    const [first] = await sessions()
    await terminate()
    await until(
      async () => {
        const second = (await sessions()).find((pid) => pid !== first)
        return second !== undefined && (await locksOf(admin, second)) === 1
      },
      { what: 'the seat to be retaken' },
    )
    await barrier.drop(SEAT)
    letRepliesThrough()
    const other = await open()
    await until(async () => (await other.take(SEAT)) === 'taken', { timeoutMs: 2_000, what: 'the seat to be free' })
    await barrier.close()
    await wire.close()
  })

  it('[P24] is unavailable while its server is away; what is not retaken in time is lost', async () => {
    const barrier = await open({ retakeMs: 150 })
    const lost: Seat[] = []
    barrier.onLost((seat) => lost.push(seat))
    await barrier.take(SEAT)
    await admin.end()
    await server.stop('immediate')
    await assert.rejects(barrier.take({ key: KEY, slot: 1 }), { code: 'STORE_UNAVAILABLE' })
    await assert.rejects(open(), { code: 'STORE_UNAVAILABLE' })
    await until(() => lost.length > 0)
    await server.restart()
    admin = new Client(server.connection)
    await admin.connect()
    await until(async () => (await barrier.take(SEAT).catch(() => 'refused')) === 'taken', { what: 'its return' })
    assert.deepEqual(lost, [SEAT])
  })

  describe('[P2] and the lock record', () => {
    const OVER_MS = LEASE_MS + LOCK_DELAY_MS + 20

    /** A run whose lease and lock delay are over, its seat taken. */
    async function overdue() {
      const bench = await benchOf(server, openLockStore)
      const barrier = await open({ app: bench.app })
      const scene = sceneOf(bench)
      await barrier.take(SEAT)
      const token = await scene.running('a', { barrier: 'session' })
      await scene.advanceTime(OVER_MS)
      const doubt: Doubt = { key: KEY, messageId: 'a', round: 1, stage: 'running', token, queue: 'default' }
      const times = { maxDeliveries: 3, publishLeaseMs: PUBLISH_LEASE_MS, resultMs: RESULT_MS }
      const resolve = async (state: 'waiting' | 'absent') =>
        (await scene.store.resolve({ doubt, state, ...times })).outcome
      return { barrier, scene, token, resolve }
    }

    it('a run past its lease is not evicted while its session lives', async () => {
      const { barrier, scene, resolve } = await overdue()
      assert.equal(await resolve('waiting'), 'kept')
      assert.equal(await resolve('absent'), 'kept')
      await barrier.close()
      await until(async () => (await resolve('waiting')) === 'queued', { what: 'the session to be gone' })
      await scene.close()
    })

    it('a run past its lease whose session lives is no prey of clear without force', async () => {
      const { barrier, scene } = await overdue()
      assert.equal((await scene.clear()).kept.length, 1)
      await barrier.drop(SEAT)
      assert.equal((await scene.clear()).freed.length, 1)
      await scene.close()
    })

    it('looking whether a barrier is free does not keep it', async () => {
      const { barrier, scene, resolve } = await overdue()
      await barrier.drop(SEAT)
      assert.equal(await resolve('waiting'), 'queued')
      assert.equal(await barrier.take(SEAT), 'taken')
      await scene.close()
    })

    it('a redelivery that took the seat itself runs; one that takes none waits for the seat', async () => {
      const { barrier, scene, token } = await overdue()
      const without = await scene.run('a', { owner: 'second', barrier: 'none' })
      assert.equal(without.outcome, 'refused')
      await barrier.drop(SEAT)
      await barrier.take(SEAT)
      const again = await scene.run('a', { owner: 'second', barrier: 'session' })
      assert.ok(again.outcome === 'granted' && again.token > token)
      await scene.close()
    })

    it('a redelivery that took another seat waits for that of the first run', async () => {
      const { barrier, scene, token } = await overdue()
      const redelivered = { owner: 'second', barrier: 'session', slot: 1, terms: termsOf({ limit: 2 }) } as const
      assert.equal((await scene.run('a', redelivered)).outcome, 'refused')
      await barrier.drop(SEAT)
      const again = await scene.run('a', redelivered)
      assert.ok(again.outcome === 'granted' && again.token > token)
      await scene.close()
    })
  })
})

async function locksOf(admin: Client, pid: number): Promise<number | null> {
  return (await admin.query("select from pg_locks where locktype = 'advisory' and pid = $1", [pid])).rowCount
}
