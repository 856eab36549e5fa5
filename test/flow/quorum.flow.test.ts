import assert from 'node:assert/strict'
import { Redis } from 'ioredis'
import { App, LockLost, StoreUnavailable, UsageError } from '../../src/index.js'
import { type Backend, startForgetfulRedis } from '../support/backends.js'
import { ranMs } from '../support/machine-time.js'
import { startPostgres } from '../support/postgres-server.js'
import { type Quorum, startQuorum } from '../support/quorum.js'
import { steady } from '../support/steady.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'
import { until } from '../support/until.js'

let apps = 0

describe('locks with a quorum as barrier', function () {
  this.timeout(60_000)
  let quorum: Quorum
  let redis: Backend
  let proxy: TcpProxy
  let postgres: Awaited<ReturnType<typeof startPostgres>>
  let admins: Redis[]
  const opened: App[] = []
  const gates: (() => void)[] = []

  before(async () => {
    ;[quorum, redis, postgres] = await Promise.all([startQuorum(), startForgetfulRedis(), startPostgres()])
    proxy = await startTcpProxy(redis.port)
    admins = quorum.urls.map((url) => new Redis(url, { maxRetriesPerRequest: null }))
    for (const admin of admins) admin.on('error', () => {})
  })
  after(async () => {
    for (const admin of admins) admin.disconnect()
    await proxy.stop()
    await Promise.all([quorum.remove(), redis.remove(), postgres.remove()])
  })
  /** A node that is not heard for 400 ms does not vote: a test on a machine that stood still is played again. */
  const it = (title: string, body: () => Promise<unknown>): unknown =>
    steady.it(title, async () => {
      await quorum.mend()
      apps += 1
      try {
        await body()
      } finally {
        for (const open of gates.splice(0)) open()
        await Promise.all(opened.splice(0).map((app) => app.close()))
      }
    })

  function open(broker: string, lease: '5s' | '15s' = '15s'): App {
    const app = new App(`quorum-${apps}`, { broker, locks: { lease, barrier: { quorum: quorum.urls } } })
    opened.push(app)
    return app
  }

  /** Opened at the end of its test at the latest. */
  function gate(): { readonly opened: Promise<void>; open(): void } {
    let open = (): void => {}
    const opened = new Promise<void>((resolve) => {
      open = resolve
    })
    gates.push(() => open())
    return { opened, open: () => open() }
  }

  /** On each node, the names of this test's seats. */
  async function seats(): Promise<number[]> {
    const found = await Promise.all(admins.map((admin) => admin.keys(`beatlock:quorum-${apps}:seat:*`)))
    return found.map((names) => names.length)
  }

  /** To each node, besides this test's own. */
  async function connections(): Promise<number[]> {
    const lists = await Promise.all(admins.map((admin) => admin.call('CLIENT', 'LIST')))
    return lists.map((list) => String(list).trim().split('\n').length - 1)
  }

  for (const store of ['redis', 'postgres', 'memory'] as const) {
    it(`on ${store} a run has its seat on every node while it lasts, and the record says so`, async () => {
      const app = open(store === 'memory' ? 'memory:' : store === 'redis' ? redis.url : postgres.url)
      const body = gate()
      const running = app.locks.run('import', {}, () => body.opened)
      const row = await until(async () => (await app.locks.list({ stage: 'running' }).next()).value)
      await until(async () => (await seats()).every((count) => count === 1))
      assert.equal((await app.locks.show(row.key))?.holders.length, 1)
      assert.deepEqual(await connections(), [1, 1, 1], '[P23] one to each node')
      assert.equal((await app.locks.run('import', {}, () => 1)).ran, false)
      body.open()
      assert.ok((await running).ran)
      await until(async () => (await seats()).every((count) => count === 0), { what: 'the seats to be free' })
      assert.deepEqual(await app.locks.run('import', {}, () => 2), { ran: true, value: 2 })
    })
  }

  it('[P2] a record that was lost lets nobody in while the quorum knows of a run', async () => {
    const [app, other] = [open(redis.url.replace(`:${redis.port}`, `:${proxy.port}`), '5s'), open(redis.url, '5s')]
    const body = gate()
    gates.push(() => proxy.heal())
    let inside = 0
    const running = app.locks.run('import', {}, async () => {
      inside += 1
      await body.opened
      inside -= 1
    })
    await until(() => inside === 1)
    // Its next renewal would make the record anew, and that would refuse the second.
    proxy.cut()
    const record = new Redis(redis.url)
    await record.flushall()
    record.disconnect()
    const second = await other.locks.run('import', {}, () => assert.fail('beside the first'))
    assert.ok(!second.ran && second.holder.id === 'quorum-lock')
    proxy.heal()
    body.open()
    await running.catch(() => undefined)
    const third = await other.locks.run('import', { wait: '30s' }, () => inside)
    assert.deepEqual(third, { ran: true, value: 0 })
  })

  it('[P6] [P7] [P24] with two nodes of three away a run is lost when its trust ends, and a new one is unavailable', async () => {
    const app = open(redis.url, '5s')
    let trustedUntilNs = 0n
    let abortedNs = 0n
    const run = app.locks.run('import', {}, async ({ signal, remainingMs }) => {
      const wake = quorum.pause(0, 1)
      gates.push(wake)
      trustedUntilNs = process.hrtime.bigint() + BigInt(Math.round(remainingMs() * 1e6))
      await assert.rejects(
        app.locks.run('other', { overlap: 'raise' }, () => 1),
        StoreUnavailable,
      )
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      abortedNs = process.hrtime.bigint()
      wake()
    })
    await assert.rejects(run, (error) => error instanceof LockLost && /deadline/.test(error.message))
    const lateMs = Number(abortedNs - trustedUntilNs) / 1e6
    assert.ok(lateMs > -50 && ranMs(trustedUntilNs, abortedNs) < 1000, `aborted ${lateMs} ms after its trust's end`)
    const next = await until(() => app.locks.run('import', { wait: '30s' }, () => true).catch(() => undefined))
    assert.ok(next.ran)
  })

  it('[P7] a run whose seat a quorum forgot is lost at its next renewal, though the record still knows it', async () => {
    const app = open(postgres.url, '5s')
    const lost: string[] = []
    app.on('run:lost', ({ reason }) => lost.push(reason))
    let aborted = false
    const run = app.locks.run('import', {}, async ({ signal, remainingMs }) => {
      await Promise.all(admins.slice(1).map((admin) => admin.flushall()))
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      aborted = remainingMs() > 0
    })
    await assert.rejects(run, LockLost)
    assert.deepEqual(lost, ['barrier'])
    assert.ok(aborted, 'before its trust ended')
  })

  it('goes on while its nodes restart empty, one after the other', async () => {
    const app = open(redis.url, '5s')
    const body = gate()
    let signal: AbortSignal | undefined
    const running = app.locks.run('import', {}, async (lock) => {
      signal = lock.signal
      await body.opened
    })
    await until(() => signal)
    for (const at of [0, 1, 2]) {
      await quorum.start(at)
      await until(async () => signal?.aborted || (await seats()).every((count) => count === 1), {
        what: `node ${at} to have its vote again`,
      })
    }
    assert.equal(signal?.aborted, false)
    body.open()
    assert.ok((await running).ran)
  })

  it('[P24] does not start without a quorum, and says which nodes are away', async () => {
    await quorum.stop(0, 2)
    try {
      const app = open(redis.url)
      await assert.rejects(
        app.locks.run('import', {}, () => 1),
        (error) => error instanceof StoreUnavailable && /2 of 3 nodes do not vote/.test(error.message),
      )
    } finally {
      await quorum.start(0, 2)
    }
  })

  it('refuses one server under two names when it first needs it', async () => {
    const [first = '', second = ''] = quorum.urls
    const nodes = [first, second, second.replace('127.0.0.1', 'localhost')]
    const app = new App(`quorum-${apps}`, { broker: 'memory:', locks: { barrier: { quorum: nodes } } })
    opened.push(app)
    await assert.rejects(
      app.locks.run('import', {}, () => 1),
      UsageError,
    )
  })
})
