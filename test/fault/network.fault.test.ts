import assert from 'node:assert/strict'
import { type Backend, onAll, startBackend } from '../support/backends.js'
import { through } from '../support/fault-process.js'
import { ranMs } from '../support/machine-time.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'
import type { Trap } from '../support/trap.js'
import { until } from '../support/until.js'

const LEASE_MS = 5_000
const PUBLISH_LEASE_MS = 10_000

describe('a worker whose network fails', function () {
  this.timeout(180_000)
  const backends: Backend[] = []
  const proxies: TcpProxy[] = []
  before(async () => void backends.push(await startBackend('redis'), await startBackend('postgres')))
  after(() => Promise.all(backends.map((backend) => backend.remove())))
  afterEach(() => Promise.all(proxies.splice(0).map((proxy) => proxy.stop())))

  const proxyOf = async ({ port }: Backend): Promise<TcpProxy> => {
    const proxy = await startTcpProxy(port)
    proxies.push(proxy)
    return proxy
  }
  const passed = async (ms: number): Promise<void> => {
    const from = performance.now()
    await until(() => performance.now() - from > ms)
  }

  // A shorter lease may have less than half of itself left at the moment of the cut: a third and the margin are gone.
  it('[P9] runs on when it is cut off for half the lease', () =>
    onAll(
      backends,
      async (fleet, backend) => {
        const leaseMs = 15_000
        const proxy = await proxyOf(backend)
        await fleet.worker('w1', { broker: through(proxy, backend.url) })
        const publisher = await fleet.publisher()
        const { id } = await publisher.call({ work: { n: 1, ms: leaseMs + 1000 } })
        await fleet.seen({ id, event: 'tick' })
        const cutNs = process.hrtime.bigint()
        proxy.cut()
        await fleet.worker('w2')
        await passed(leaseMs / 2 - Number(process.hrtime.bigint() - cutNs) / 1e6)
        proxy.heal()
        await fleet.seen({ id, event: 'end', attempt: 1 })
        assert.equal(fleet.lines(id).filter((line) => line.event === 'start').length, 1)
      },
      '15s',
    ))

  it('[P2] [P7] [P11] is aborted and killed by its deadline when cut off for twice the lease, and its message runs elsewhere', () =>
    onAll(backends, async (fleet, backend) => {
      const proxy = await proxyOf(backend)
      await fleet.worker('w1', { broker: through(proxy, backend.url) })
      const publisher = await fleet.publisher()
      const deaf = await publisher.call({ work: { n: 1, ms: 60_000, thenMs: 50, how: 'deaf' } })
      const heeds = await publisher.call({ work: { n: 2, ms: 60_000, thenMs: 50 } })
      const { pid } = await fleet.seen({ id: deaf.id, event: 'tick' })
      await fleet.seen({ id: heeds.id, event: 'tick' })
      const cutNs = process.hrtime.bigint()
      proxy.cut()
      await fleet.worker('w2', { concurrency: 3 })
      await passed(2 * LEASE_MS - Number(process.hrtime.bigint() - cutNs) / 1e6)
      proxy.heal()
      await fleet.seen({ id: deaf.id, event: 'end' })
      await fleet.seen({ id: heeds.id, event: 'end' })
      const last = fleet
        .lines(deaf.id)
        .filter((line) => line.pid === pid)
        .at(-1)
      assert.equal(last?.event, 'tick', 'it never came to its end')
      assert.ok(ranMs(cutNs, last.ns) < LEASE_MS, 'by its deadline')
    }))

  // At the second: the reply to a script's first use may only say that the server has yet to load it.
  const steps: readonly Trap[] = [
    { at: 'run', when: 'before', do: 'lose', nth: 2 },
    { at: 'release', when: 'before', do: 'lose', nth: 2 },
  ]
  for (const trap of steps) {
    it(`[P21] repeats a ${trap.at} whose reply was lost, and that has one effect`, () =>
      onAll(
        backends,
        async (fleet) => {
          const worker = await fleet.worker('w1', { trap })
          const publisher = await fleet.publisher()
          const { id: before } = await publisher.call({ work: { n: 9, ms: 0 } })
          await fleet.seen({ id: before, event: 'end' })
          await until(async () => (await fleet.endings()).get(before), { what: 'the first release' })
          const { id } = await publisher.call({ work: { n: 1, ms: 0, toldFrom: 1 } })
          const parked = await publisher.call({ work: { n: 1, ms: 100 }, overlap: 'defer' })
          assert.equal(parked.outcome, 'parked')
          fleet.finish(id)
          const end = await fleet.seen({ id, event: 'end', attempt: 1 })
          const next = await fleet.seen({ id: parked.id, event: 'start' })
          assert.ok(ranMs(end.ns, next.ns) < PUBLISH_LEASE_MS, 'its turn did not wait for a sweep')
          await fleet.seen({ id: parked.id, event: 'end' })
          await until(() => worker.sprung(), { what: 'the lost reply' })
        },
        '15s',
      ))
  }

  it('[P21] a publisher repeats an acquire whose reply was lost, and publishes once', () =>
    onAll(
      backends,
      async (fleet) => {
        const publisher = await fleet.publisher({ trap: { at: 'acquire', when: 'before', do: 'lose', nth: 2 } })
        // The first may only hear that the server has yet to load the script.
        await publisher.call({ work: { n: 9, ms: 0 } })
        const { id, outcome } = await publisher.call({ work: { n: 1, ms: 100 } })
        assert.equal(outcome, 'published')
        await until(() => publisher.sprung(), { what: 'the lost reply' })
        assert.equal((await publisher.call({ work: { n: 1, ms: 0 } })).outcome, 'rejected', 'its key is held by itself')
        await fleet.worker('w1')
        await fleet.seen({ id, event: 'end', attempt: 1 })
      },
      '15s',
    ))

  it('[P21] a call that was parked without hearing so is parked once', () =>
    onAll(
      backends,
      async (fleet) => {
        const first = await fleet.publisher()
        const holder = await first.call({ work: { n: 1, ms: 100 } })
        const second = await fleet.publisher({ trap: { at: 'acquire', when: 'before', do: 'lose' } })
        const parked = await second.call({ work: { n: 1, ms: 100 }, overlap: 'defer' })
        assert.equal(parked.outcome, 'parked')
        await fleet.worker('w1')
        await fleet.seen({ id: holder.id, event: 'end', attempt: 1 })
        await fleet.seen({ id: parked.id, event: 'end', attempt: 1 })
      },
      '15s',
    ))

  // Of 5 s, a third, the margin and the delay would leave so little that a machine which stalls takes the rest.
  it('[P9] [P13] runs on when every renewal’s reply is slow', () =>
    onAll(
      backends,
      async (fleet, backend) => {
        const proxy = await proxyOf(backend)
        await fleet.worker('w1', { broker: through(proxy, backend.url) })
        const publisher = await fleet.publisher()
        const { id } = await publisher.call({ work: { n: 1, ms: 16_000 } })
        await fleet.seen({ id, event: 'tick' })
        proxy.delay(1_000)
        await fleet.seen({ id, event: 'end', attempt: 1 })
        proxy.heal()
      },
      '15s',
    ))
})
