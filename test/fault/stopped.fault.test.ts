import assert from 'node:assert/strict'
import { type Backend, onAll, startBackend } from '../support/backends.js'
import { processState } from '../support/body-log.js'
import { until } from '../support/until.js'

/** Longer than lease, lock delay, and the sweeper's and the engine's next look. */
const LONG_NS = 8_500_000_000n

describe('a process that is stopped or blocked for longer than lease and lock delay', function () {
  this.timeout(180_000)
  const backends: Backend[] = []
  before(async () => void backends.push(await startBackend('redis'), await startBackend('postgres')))
  after(() => Promise.all(backends.map((backend) => backend.remove())))

  const longSince = async (ns: bigint): Promise<void> =>
    void (await until(() => process.hrtime.bigint() - ns > LONG_NS))

  it('[P2] child: its key stays its own, and after waking it goes on or dies for its message to run again', () =>
    onAll(backends, async (fleet) => {
      await fleet.worker('w1')
      await fleet.worker('w2')
      const publisher = await fleet.publisher()
      const { id } = await publisher.call({ work: { n: 1, ms: 50, toldFrom: 1 } })
      const { pid, ns } = await fleet.seen({ id, event: 'tick' })
      const paused = fleet.pause([pid])
      const parked = await publisher.call({ work: { n: 1, ms: 50 }, overlap: 'defer' })
      assert.equal(parked.outcome, 'parked')
      await longSince(ns)
      paused.wake()
      fleet.finish(id)
      await fleet.seen({ id, event: 'end' })
      await fleet.seen({ id: parked.id, event: 'end' })
    }))

  it('[P2] [P4] parent: its child dies at its deadline by itself; the woken parent changes nothing that is no longer its own', () =>
    onAll(backends, async (fleet, { name }) => {
      const first = await fleet.worker('w1')
      const publisher = await fleet.publisher()
      const { id } = await publisher.call({ work: { n: 1, ms: 60_000, thenMs: 50, how: 'deaf', toldFrom: 2 } })
      const { pid, ns } = await fleet.seen({ id, event: 'tick' })
      const paused = fleet.pause([first.pid])
      await fleet.worker('w2')
      await until(() => processState(pid) === 'gone', { what: 'the end of the child' })
      await longSince(ns)
      const starts = (): number => fleet.lines(id).filter((line) => line.event === 'start').length
      if (name === 'redis') await until(() => starts() === 2, { what: 'the second run' })
      else assert.equal(starts(), 1, 'the barrier’s session lives as long as its process')
      paused.wake()
      const stale = () => first.events.filter((each) => each.name === 'lock:stale').length
      if (name === 'redis') await until(() => stale() > 0, { what: 'the woken parent to meet the second run' })
      fleet.finish(id)
      await fleet.seen({ id, event: 'end', attempt: 2 })
      assert.equal(stale(), name === 'redis' ? 1 : 0)
    }))

  it('[P2] parent and children: a woken body is dead within 250 ms, whoever has its key by then', () =>
    onAll(backends, async (fleet) => {
      const first = await fleet.worker('w1')
      const publisher = await fleet.publisher()
      const { id } = await publisher.call({ work: { n: 1, ms: 60_000, thenMs: 50, how: 'deaf' } })
      const { pid, ns } = await fleet.seen({ id, event: 'tick' })
      const paused = fleet.pause([first.pid, ...first.children()])
      await fleet.worker('w2')
      await longSince(ns)
      paused.wake()
      await until(() => processState(pid) === 'gone', { what: 'the end of the woken child' })
      await fleet.seen({ id, event: 'end' })
      const last = fleet.lines(id).findLast((line) => line.pid === pid)
      assert.equal(last?.event, 'tick', 'it never came to its end')
    }))

  it('[P9] a spinning body keeps its key: renewal does not need its loop', () =>
    onAll(
      backends,
      async (fleet) => {
        await fleet.worker('w1')
        await fleet.worker('w2')
        const publisher = await fleet.publisher()
        const { id } = await publisher.call({ work: { n: 1, ms: 15_500, how: 'spin' } })
        await fleet.seen({ id, event: 'end', attempt: 1 })
        assert.equal(fleet.lines(id).filter((line) => line.event === 'start').length, 1)
      },
      '15s',
    ))

  it('[P9] [P13] a blocked parent’s body keeps its key, and the engine’s redelivery starts no second one', () =>
    onAll(backends, async (fleet) => {
      const first = await fleet.worker('w1')
      const publisher = await fleet.publisher()
      const { id } = await publisher.call({ work: { n: 1, ms: 50, toldFrom: 1 } })
      await fleet.seen({ id, event: 'tick' })
      const second = await fleet.worker('w2')
      const blockedNs = process.hrtime.bigint()
      const unblock = first.block()
      await until(() => second.events.some(({ name, event }) => name === 'run:putBack' && event['id'] === id), {
        what: 'the redelivery to be put back',
      })
      await longSince(blockedNs)
      fleet.finish(id)
      await fleet.seen({ id, event: 'end', attempt: 1 })
      unblock()
      assert.equal(fleet.lines(id).filter((line) => line.event === 'start').length, 1)
    }))
})
