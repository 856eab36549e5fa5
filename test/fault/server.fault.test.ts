import assert from 'node:assert/strict'
import pg from 'pg'
import { type Backend, onAll, startBackend } from '../support/backends.js'
import type { Fleet } from '../support/fleet.js'
import { losingJobLock } from '../support/job-lock.js'
import { until } from '../support/until.js'

describe('a server', function () {
  this.timeout(180_000)
  const backends: Backend[] = []
  before(async () => void backends.push(await startBackend('redis'), await startBackend('postgres')))
  after(() => Promise.all(backends.map((backend) => backend.remove())))

  it('[P2] [P13] that crashes and comes back with its data costs a running body nothing', () =>
    onAll(
      backends,
      async (fleet, backend) => {
        await fleet.worker('w1')
        await fleet.worker('w2')
        const publisher = await fleet.publisher()
        const { id, key } = await publisher.call({ work: { n: 1, ms: 0, toldFrom: 1 } })
        const parked = await publisher.call({ work: { n: 1, ms: 50 }, overlap: 'defer' })
        await fleet.seen({ id, event: 'tick' })
        await backend.crash()
        await backend.restart()
        await renewed(fleet, key)
        fleet.finish(id)
        await fleet.seen({ id, event: 'end', attempt: 1 })
        await fleet.seen({ id: parked.id, event: 'end' })
        assert.equal(fleet.lines(id).filter((line) => line.event === 'start').length, 1)
      },
      '15s',
    ))

  it('[P2] that ends the barrier’s session costs a running body nothing: its seat is retaken', () =>
    onAll(
      backends.filter(({ name }) => name === 'postgres'),
      async (fleet, backend) => {
        await fleet.worker('w1')
        await fleet.worker('w2')
        const publisher = await fleet.publisher()
        const { id } = await publisher.call({ work: { n: 1, ms: 0, toldFrom: 1 } })
        await fleet.seen({ id, event: 'tick' })
        const client = new pg.Client(backend.url)
        await client.connect()
        try {
          const [pid, ...others] = await holdersOfSeats(client)
          assert.ok(pid !== undefined && others.length === 0)
          await client.query('select pg_terminate_backend($1)', [pid])
          await until(async () => (await holdersOfSeats(client)).some((each) => each !== pid), {
            what: 'the seat to be retaken',
          })
        } finally {
          await client.end()
        }
        fleet.finish(id)
        await fleet.seen({ id, event: 'end', attempt: 1 })
        assert.equal(fleet.lines(id).filter((line) => line.event === 'start').length, 1)
      },
      '15s',
    ))

  it('[P7] [P11] that gave the barrier’s seat to somebody else: the body is stopped, and its message runs again', () =>
    onAll(
      backends.filter(({ name }) => name === 'postgres'),
      async (fleet, backend) => {
        const worker = await fleet.worker('w1')
        const publisher = await fleet.publisher()
        const { id } = await publisher.call({ work: { n: 1, ms: 60_000, thenMs: 50 } })
        await fleet.seen({ id, event: 'tick' })
        const client = new pg.Client(backend.url)
        await client.connect()
        try {
          const [pid] = await holdersOfSeats(client)
          const { rows } = await client.query(
            "select (classid::bigint << 32) | objid::bigint as seat from pg_locks where pid = $1 and locktype = 'advisory'",
            [pid],
          )
          const thief = new pg.Client(backend.url)
          await thief.connect()
          // It waits first in line, so the seat is its own the moment the session ends.
          const taken = thief.query('select pg_advisory_lock($1)', [rows[0].seat])
          await until(async () => (await client.query('select from pg_locks where not granted')).rows.length > 0, {
            what: 'the thief to wait',
          })
          await client.query('select pg_terminate_backend($1)', [pid])
          await taken
          await until(() => fleet.lines(id).some(({ event }) => event === 'stop'), { what: 'the body to be stopped' })
          await until(() => worker.events.some(({ name }) => name === 'run:lost'), { what: 'the loss to be told' })
          await thief.end()
        } finally {
          await client.end()
        }
        await fleet.seen({ id, event: 'end', attempt: 2 })
      },
      '15s',
    ))

  it('[P9] [P13] [P24] that has a key’s row locked for longer than a statement waits: the end of its run is written down once', () =>
    onAll(
      backends.filter(({ name }) => name === 'postgres'),
      async (fleet, { url }) => {
        await fleet.worker('w1')
        await fleet.worker('w2')
        const publisher = await fleet.publisher()
        const other = await publisher.call({ work: { n: 2, ms: 0, toldFrom: 1 } })
        const { id, key } = await publisher.call({ work: { n: 1, ms: 0, toldFrom: 1 } })
        await fleet.seen({ id, event: 'tick' })
        await fleet.seen({ id: other.id, event: 'tick' })
        const client = new pg.Client(url)
        await client.connect()
        try {
          await client.query('begin')
          await client.query('select beatlock.lock_key_v1($1, $2)', [fleet.app.name, key])
          // Two statements of the release give up, and one of the call.
          await assert.rejects(publisher.call({ work: { n: 1, ms: 0 } }), /lock timeout/)
          fleet.finish(id)
          const { ns } = await fleet.seen({ id, event: 'end', attempt: 1 })
          await until(() => process.hrtime.bigint() - ns > 2_500_000_000n, { what: 'the release to be repeated' })
          await renewed(fleet, other.key)
        } finally {
          await client.query('rollback')
          await client.end()
        }
        await until(async () => (await fleet.endings()).get(id)?.outcome === 'ran', { what: 'the end to be recorded' })
        fleet.finish(other.id)
        await fleet.seen({ id: other.id, event: 'end', attempt: 1 })
        for (const call of [id, other.id]) {
          assert.equal(fleet.lines(call).filter(({ event }) => event === 'start').length, 1)
        }
      },
      '15s',
    ))

  it('[P13] that delivers a message a second time while its first body runs starts no second one', () =>
    onAll(backends, async (fleet, backend) => {
      await fleet.worker('w1', { concurrency: 1 })
      const publisher = await fleet.publisher()
      const { id } = await publisher.call({ work: { n: 1, ms: 0, toldFrom: 1 } })
      await fleet.seen({ id, event: 'tick' })
      const second = await fleet.worker('w2')
      const putBack = (): boolean =>
        second.events.some(({ name, event }) => name === 'run:putBack' && event['id'] === id)
      await losingJobLock(backend, { app: fleet.app.name, id }, async (lose) => {
        await until(async () => (await lose()) ?? putBack(), {
          what: 'the early redelivery',
          everyMs: 100,
        })
      })
      fleet.finish(id)
      await fleet.seen({ id, event: 'end', attempt: 1 })
      assert.equal(fleet.lines(id).filter((line) => line.event === 'start').length, 1)
    }))
})

/** Waits for a renewal of the key's lease that the server answered after this was asked. */
async function renewed(fleet: Fleet, key: string): Promise<void> {
  const { store } = await fleet.app.connection()
  const expiresAt = async (): Promise<number> => (await store.show(key as never))?.rows[0]?.expiresAt ?? 0
  const before = await expiresAt()
  await until(async () => (await expiresAt()) > before, { everyMs: 50, what: 'a renewal' })
}

async function holdersOfSeats(client: pg.Client): Promise<number[]> {
  const { rows } = await client.query(
    "select pid from pg_locks where locktype = 'advisory' and objsubid = 1 and granted",
  )
  return rows.map(({ pid }) => pid as number)
}
