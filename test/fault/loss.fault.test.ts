import assert from 'node:assert/strict'
import { Redis } from 'ioredis'
import { type Backend, playOn, startForgetfulRedis } from '../support/backends.js'
import type { Ack } from '../support/checker.js'
import type { Call } from '../support/fault-process.js'
import type { Fleet, WorkerMember } from '../support/fleet.js'
import { ranMs } from '../support/machine-time.js'
import { until } from '../support/until.js'

const LEASE_MS = 5_000
const GRACE_MS = LEASE_MS + Math.ceil(LEASE_MS / 3)

/**
 * F5: a server that has lost its data. Not promised: that a call accepted before the loss runs or is recorded (queue,
 * parked calls and outcomes are gone).
 */
describe('a Redis that has lost its data', function () {
  this.timeout(120_000)
  let backend: Backend
  before(async () => {
    backend = await startForgetfulRedis()
  })
  after(() => backend.remove())

  const flush = async (): Promise<void> => {
    const redis = new Redis(backend.url)
    try {
      await redis.flushall()
    } finally {
      redis.disconnect()
    }
  }

  it('[P2] [P3] [P24] (F5) by an empty restart: bodies keep their locks, and what is called next waits and runs under higher tokens', () =>
    playOn(backend, async (fleet) => {
      const workers = [await fleet.worker('w1'), await fleet.worker('w2')]
      const publisher = await fleet.publisher()
      const running = await publisher.call({ work: { n: 1, ms: 0, toldFrom: 1 } })
      const parked = await publisher.call({ work: { n: 1, ms: 50 }, overlap: 'defer' })
      assert.equal(parked.outcome, 'parked')
      const { token } = await fleet.seen({ id: running.id, event: 'tick' })

      await backend.crash()
      const askedNs = process.hrtime.bigint()
      await assert.rejects(publisher.call({ work: { n: 3, ms: 0 } }), /cannot be reached|PublishUnknown/)
      assert.ok(ranMs(askedNs) < 10_000)
      const lostNs = process.hrtime.bigint()
      await backend.restart()
      fleet.lostData()
      await outlives(fleet, workers, { running, token, lostNs, call: publisher.call })
    }))

  it('[P2] [P3] (F5) by FLUSHALL: bodies keep their locks, and what is called next waits and runs under higher tokens', () =>
    playOn(backend, async (fleet) => {
      const workers = [await fleet.worker('w1'), await fleet.worker('w2')]
      const publisher = await fleet.publisher()
      const running = await publisher.call({ work: { n: 1, ms: 0, toldFrom: 1 } })
      const { token } = await fleet.seen({ id: running.id, event: 'tick' })
      const lostNs = process.hrtime.bigint()
      await flush()
      fleet.lostData()
      await outlives(fleet, workers, { running, token, lostNs, call: publisher.call })
    }))

  it('[P2] (F5) by FLUSHALL, before a worker comes that knows of nothing: it waits as well', () =>
    playOn(backend, async (fleet) => {
      const first = await fleet.worker('w1', { concurrency: 1 })
      const publisher = await fleet.publisher()
      const running = await publisher.call({ work: { n: 1, ms: 0, toldFrom: 1 } })
      await fleet.seen({ id: running.id, event: 'tick' })
      await flush()
      fleet.lostData()
      const next = await publisher.call({ work: { n: 1, ms: 50 } })
      await until(() => first.events.some(({ name }) => name === 'lock:recovering'), { what: 'the loss to be told' })
      const newcomer = await fleet.worker('w2')
      await until(() => newcomer.events.some(({ name, event }) => name === 'run:putBack' && event['id'] === next.id), {
        what: 'the newcomer to put the call back',
      })
      fleet.finish(running.id)
      await fleet.seen({ id: running.id, event: 'end', attempt: 1 })
      await fleet.seen({ id: next.id, event: 'end' })
    }))
})

/**
 * The run goes on to its end, which is written down; calls of other keys start once the grace is over, the next call of its
 * own key after it.
 */
async function outlives(
  fleet: Fleet,
  workers: readonly WorkerMember[],
  of: { running: { id: string; key: string }; token: number; lostNs: bigint; call: (call: Call) => Promise<Ack> },
): Promise<void> {
  const { running, token, lostNs, call } = of
  await until(() => workers.every((each) => each.events.some(({ name }) => name === 'lock:recovering')), {
    what: 'both workers to tell of the loss',
  })
  const other = await call({ work: { n: 2, ms: 50 } })
  const next = await call({ work: { n: 1, ms: 50 }, overlap: 'defer' })
  const { store } = await fleet.app.connection()
  const rows = async () => (await store.show(running.key as never))?.rows ?? []
  const row = await until(async () => (await rows()).find((each) => each.token !== null), {
    what: 'the body to have its lock again',
  })
  assert.deepEqual([row.holder, row.token, row.stage], [running.id, token, 'running'])
  await until(() => workers.some(({ events }) => events.some(({ event }) => event['why'] === 'recovering')), {
    what: 'the other call to be put back',
  })
  const { ns } = await fleet.seen({ id: other.id, event: 'start' })
  assert.ok(Number(ns - lostNs) / 1e6 > GRACE_MS - 10, 'within the grace')
  assert.ok(!fleet.lines(next.id).some(({ event }) => event === 'start'), 'beside the body that outlived the loss')
  fleet.finish(running.id)
  await fleet.seen({ id: running.id, event: 'end', attempt: 1 })
  const outcome = await until(async () => (await store.find(running.id, running.key as never)).outcome, {
    what: 'its outcome',
  })
  assert.deepEqual([outcome.outcome, outcome.token], ['ran', token])
  const { token: higher } = await fleet.seen({ id: next.id, event: 'start' })
  assert.ok(higher > token, `token ${higher} after ${token}`)
  await fleet.seen({ id: next.id, event: 'end' })
  assert.ok(workers.every((worker) => !worker.exited()))
  for (const worker of workers) {
    assert.equal(worker.events.filter(({ name }) => name === 'lock:recovering').length, 1, 'told once')
  }
}
