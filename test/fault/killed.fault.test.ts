import assert from 'node:assert/strict'
import { type Backend, onAll, startBackend } from '../support/backends.js'
import { ranMs } from '../support/machine-time.js'
import { until } from '../support/until.js'

const LOCK_DELAY_MS = 5_000 / 3

describe('a process that is killed', function () {
  this.timeout(180_000)
  const backends: Backend[] = []
  before(async () => void backends.push(await startBackend('redis'), await startBackend('postgres')))
  after(() => Promise.all(backends.map((backend) => backend.remove())))

  it('[P8] [P13] child: its message runs again at once under a higher token, and its key is kept for it', () =>
    onAll(
      backends,
      async (fleet) => {
        const worker = await fleet.worker('w1')
        const publisher = await fleet.publisher()
        const { id } = await publisher.call({ work: { n: 1, ms: 0, toldFrom: 1 } })
        const { pid } = await fleet.seen({ id, event: 'tick' })
        const killedNs = process.hrtime.bigint()
        process.kill(pid, 'SIGKILL')
        const crashed = await until(() => worker.events.find(({ name }) => name === 'run:crashed'))
        const ms = Math.min(Number(crashed.event['ms']), ranMs(killedNs))
        assert.ok(ms < 1000, `queued ${ms} ms after the exit was seen`)
        assert.equal((await publisher.call({ work: { n: 1, ms: 0 } })).outcome, 'rejected', '[P12]')
        fleet.finish(id)
        await fleet.seen({ id, event: 'end', attempt: 2 })
      },
      '15s',
    ))

  it('[P2] [P8] parent: its orphans die, and the message runs elsewhere once lease and delay are over', () =>
    onAll(backends, async (fleet) => {
      const first = await fleet.worker('w1')
      const publisher = await fleet.publisher()
      const { id } = await publisher.call({ work: { n: 1, ms: 60_000, thenMs: 50, how: 'spin' } })
      const { pid, key } = await fleet.seen({ id, event: 'tick' })
      const parked = await publisher.call({ work: { n: 1, ms: 50 }, overlap: 'defer' })
      assert.equal(parked.outcome, 'parked')
      const killedNs = process.hrtime.bigint()
      await first.kill()
      const askedNs = process.hrtime.bigint()
      const shown = await (await fleet.app.connection()).store.show(key as never)
      assert.equal(shown?.rows[0]?.holder, id)
      const leaseLeftMs = (shown.rows[0]?.expiresAt ?? 0) - shown.now
      await fleet.worker('w2')
      const again = await fleet.seen({ id, event: 'start', attempt: 2 })
      const orphan = fleet.lines(id).filter((line) => line.pid === pid)
      const livedMs = ranMs(killedNs, orphan.at(-1)?.ns)
      assert.ok(orphan.at(-1)?.event === 'tick' && livedMs < 250, `the orphan lived for ${livedMs} ms`)
      const earlyMs = leaseLeftMs + LOCK_DELAY_MS - Number(again.ns - askedNs) / 1e6
      assert.ok(earlyMs <= 1, `${earlyMs} ms before lease and lock delay were over`)
      const waitedMs = ranMs(killedNs, again.ns)
      assert.ok(waitedMs < 15_000, `${waitedMs} ms`)
      await fleet.seen({ id: parked.id, event: 'end' })
    }))

  it('[P10] [P13] parent, of a message acknowledged early: it starts no second time, its loss is told, and the next has its turn', () =>
    onAll(backends, async (fleet) => {
      const early = { env: { FAULT_EARLY: '1' } }
      const first = await fleet.worker('w1', early)
      const publisher = await fleet.publisher()
      const { id } = await publisher.call({ work: { n: 1, ms: 30_000 } })
      await fleet.seen({ id, event: 'tick' })
      const parked = await publisher.call({ work: { n: 1, ms: 50 }, overlap: 'defer' })
      await first.kill()
      await fleet.worker('w2', early)
      await fleet.seen({ id: parked.id, event: 'end' })
      assert.equal((await fleet.endings()).get(id)?.outcome, 'failed')
      const letter = await until(async () => (await fleet.app.deadLetters.list())[0], { what: 'its dead letter' })
      assert.deepEqual([letter.id, letter.code], [id, 'MAX_DELIVERIES'])
      assert.equal(fleet.lines(id).filter(({ event }) => event === 'start').length, 1)
    }))

  it('[P8] [P12] publisher, between acquire and publish: its key is free after the publish lease, a call parked behind it runs', () =>
    onAll(backends, async (fleet) => {
      await fleet.worker('w1')
      const dying = await fleet.publisher({ trap: { at: 'acquire', when: 'after', do: 'die' } })
      const publisher = await fleet.publisher()
      await assert.rejects(dying.call({ work: { n: 1, ms: 0 }, id: 'died-early' }))
      assert.equal((await publisher.call({ work: { n: 1, ms: 0 } })).outcome, 'rejected')
      const parked = await publisher.call({ work: { n: 1, ms: 0 }, overlap: 'defer' })
      assert.equal(parked.outcome, 'parked')
      await fleet.seen({ id: parked.id, event: 'end' })
      assert.deepEqual(fleet.lines('died-early'), [])
    }))

  it('[P11] publisher, between publish and confirm: its message runs once', () =>
    onAll(backends, async (fleet) => {
      const dying = await fleet.publisher({ trap: { at: 'publish', when: 'after', do: 'die' } })
      await assert.rejects(dying.call({ work: { n: 1, ms: 0 }, id: 'unconfirmed' }))
      const publisher = await fleet.publisher()
      assert.equal((await publisher.call({ work: { n: 1, ms: 0 } })).outcome, 'rejected', 'the key is its own')
      await fleet.worker('w1')
      await fleet.seen({ id: 'unconfirmed', event: 'end' })
    }))

  it('[P13] parent, between release and ack: the redelivery finds the outcome and runs nothing', () =>
    onAll(backends, async (fleet) => {
      const dying = await fleet.worker('w1', { trap: { at: 'release', when: 'after', do: 'die' } })
      const publisher = await fleet.publisher()
      const { id } = await publisher.call({ work: { n: 1, ms: 50 } })
      await until(() => dying.exited(), { what: 'the trap' })
      const second = await fleet.worker('w2')
      await until(() => second.events.some(({ name, event }) => name === 'run:duplicate' && event['id'] === id), {
        what: 'the redelivery',
      })
      assert.equal(fleet.lines(id).filter((line) => line.event === 'start').length, 1)
    }))

  it('[P18] parent, between release and promotion: a sweeper publishes the parked call', () =>
    onAll(backends, async (fleet) => {
      const dying = await fleet.worker('w1', { trap: { at: 'release', when: 'after', do: 'die' } })
      const publisher = await fleet.publisher()
      const { id } = await publisher.call({ work: { n: 1, ms: 0, toldFrom: 1 } })
      await fleet.seen({ id, event: 'start' })
      const parked = await publisher.call({ work: { n: 1, ms: 50 }, overlap: 'defer' })
      const coalesced = await publisher.call({ work: { n: 1, ms: 50 }, overlap: 'defer' })
      assert.deepEqual([parked.outcome, coalesced.outcome], ['parked', 'coalesced'])
      fleet.finish(id)
      await until(() => dying.exited(), { what: 'the trap' })
      const second = await fleet.worker('w2')
      await fleet.seen({ id: parked.id, event: 'end' })
      await until(
        () => second.events.some(({ name, event }) => name === 'call:promoted' && event['id'] === parked.id),
        { what: 'the promotion to be told' },
      )
    }))

  it('[P10] and a call that expires while it waits for it is recorded as expired', () =>
    onAll(backends, async (fleet) => {
      await fleet.worker('w1')
      const publisher = await fleet.publisher()
      const { id } = await publisher.call({ work: { n: 1, ms: 0, how: 'crash', toldFrom: 2 } })
      await fleet.seen({ id, event: 'start' })
      const parked = await publisher.call({ work: { n: 1, ms: 0 }, overlap: 'defer', expires: '500ms' })
      assert.equal(parked.outcome, 'parked')
      await until(() => process.hrtime.bigint() - parked.askedNs > 600_000_000n)
      fleet.finish(id)
      await fleet.seen({ id, event: 'end' })
      await until(async () => (await fleet.endings()).get(parked.id)?.outcome === 'expired', { what: 'expired' })
    }))
})
