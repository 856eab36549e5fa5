import assert from 'node:assert/strict'
import { Redis } from 'ioredis'
import { openBarrier } from '../../adapters/redlock/index.js'
import type { Barrier, Seat } from '../../src/lock/barrier.js'
import { StoreUnavailable, UsageError } from '../../src/lock/error.js'
import type { LockKey } from '../../src/lock/key.js'
import { barrierContract } from '../contract/barrier.contract.js'
import { type Quorum, startQuorum } from '../support/quorum.js'
import { startRedis } from '../support/redis-server.js'
import { steady } from '../support/steady.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'
import { until } from '../support/until.js'

const LEASE_MS = 15_000
const SEAT: Seat = { key: 'task:a' as LockKey, slot: 0 }
let apps = 0

describe('the quorum barrier', function () {
  this.timeout(60_000)
  let quorum: Quorum
  let admins: Redis[]
  let app: string
  const opened: Barrier[] = []
  let troubles: string[]

  before(async () => {
    quorum = await startQuorum()
    admins = quorum.urls.map((url) => new Redis(url, { lazyConnect: true, maxRetriesPerRequest: null }))
    for (const admin of admins) admin.on('error', () => {})
  })
  after(async () => {
    for (const admin of admins) admin.disconnect()
    await quorum.remove()
  })
  /** A node that this process cannot hear for 400 ms does not vote: a test on a machine that stood still is played again. */
  const it = (title: string, body: () => Promise<unknown>): unknown =>
    steady.it(title, async () => {
      await quorum.mend()
      app = `redlock-${++apps}`
      troubles = []
      try {
        await body()
      } finally {
        await Promise.all(opened.splice(0).map((barrier) => barrier.close()))
        await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()))
      }
    })

  const proxies: TcpProxy[] = []

  async function open(of: { nodes?: readonly string[]; leaseMs?: number; app?: string } = {}): Promise<Barrier> {
    const options = { app, nodes: quorum.urls, leaseMs: LEASE_MS, ...of }
    const barrier = await openBarrier(options, ({ message }) => troubles.push(message))
    opened.push(barrier)
    return barrier
  }

  /** Its nodes behind proxies. */
  async function proxied(): Promise<{ lines: TcpProxy[]; urls: string[] }> {
    const lines = await Promise.all(quorum.nodes.map(({ port }) => startTcpProxy(port)))
    proxies.push(...lines)
    return { lines, urls: lines.map(({ port }) => `redis://127.0.0.1:${port}`) }
  }

  /** How many nodes have a vote for the seat. */
  async function votes(): Promise<number> {
    const found = await Promise.all(admins.map((admin) => admin.exists(`beatlock:${app}:seat:0:${SEAT.key}`)))
    return found.reduce((sum, each) => sum + each, 0)
  }

  const answering = (barrier: Barrier, seat: Seat = { ...SEAT, slot: 99 }): Promise<unknown> =>
    until(
      async () => {
        const answer = await barrier.take(seat).catch(() => undefined)
        if (answer === 'taken') await barrier.drop(seat)
        return answer
      },
      { what: 'a quorum to answer again' },
    )

  barrierContract({ describe, it }, async () => {
    return {
      open: (other) => open({ app: other ? `${app}-other` : app }),
      close: async () => void (await Promise.all(opened.splice(0).map((barrier) => barrier.close()))),
    }
  })

  it('[P24] goes on with one node of three killed, and says so once, and when it votes again', async () => {
    const [one, two] = [await open(), await open()]
    await one.take(SEAT)
    await quorum.stop(0)
    assert.deepEqual(await one.extend([SEAT]), ['extended'])
    assert.equal(await two.take(SEAT), 'refused')
    await one.drop(SEAT)
    assert.equal(await two.take(SEAT), 'taken')
    const gone = `a node of the quorum does not vote: 127.0.0.1:${quorum.nodes[0]?.port}; 2 of 3 do, 2 must`
    await until(() => troubles.length === 2, { what: 'both to have said so' })
    assert.deepEqual(troubles, [gone, gone])
    await quorum.start(0)
    await until(() => troubles.filter((text) => /votes again: .*; 3 of 3 do/.test(text)).length === 2)
    assert.equal(troubles.length, 4)
  })

  it('[P24] with two of three killed is unavailable: nothing is refused, granted or lost', async () => {
    const barrier = await open()
    await barrier.take(SEAT)
    await quorum.stop(0, 1)
    await assert.rejects(barrier.take({ ...SEAT, slot: 1 }), (error) => {
      assert.ok(error instanceof StoreUnavailable)
      assert.match(error.message, /^the quorum of .* cannot be reached: 2 of 3 nodes do not vote \(127\.0\.0\.1:\d+: /)
      return true
    })
    assert.deepEqual(await barrier.extend([SEAT]), ['unanswered'])
    await assert.rejects(open(), StoreUnavailable)
    await quorum.start(0, 1)
    await answering(barrier)
  })

  it('a seat that a quorum forgot is lost; one that a single node may still have is not yet', async () => {
    const barrier = await open()
    await barrier.take(SEAT)
    await quorum.stop(0, 1)
    assert.deepEqual(await barrier.extend([SEAT]), ['unanswered'])
    await quorum.start(0)
    await until(() => troubles.some((text) => text.includes('votes again')))
    assert.deepEqual(await barrier.extend([SEAT]), ['unanswered'], 'one for us, one against us, one silent')
    await quorum.start(1)
    await until(() => troubles.filter((text) => text.includes('votes again')).length === 2)
    assert.deepEqual(await barrier.extend([SEAT]), ['lost'])
    assert.equal(await (await open()).take(SEAT), 'taken', 'a majority has it free')
  })

  it('[P24] with two of three paused is unavailable, and leaves no vote behind when they go on', async () => {
    const barrier = await open()
    await barrier.take({ ...SEAT, slot: 1 })
    const wake = quorum.pause(0, 1)
    try {
      await assert.rejects(barrier.take(SEAT), StoreUnavailable)
      assert.deepEqual(await barrier.extend([{ ...SEAT, slot: 1 }]), ['unanswered'])
    } finally {
      wake()
    }
    await until(async () => (await votes()) === 0, { what: 'what was asked meanwhile to be taken back' })
    await answering(barrier)
    assert.deepEqual(await barrier.extend([{ ...SEAT, slot: 1 }]), ['extended'])
  })

  it('with one of three paused it takes, prolongs and drops as before', async () => {
    const barrier = await open()
    const wake = quorum.pause(2)
    try {
      assert.equal(await barrier.take(SEAT), 'taken')
      assert.deepEqual(await barrier.extend([SEAT]), ['extended'])
      await barrier.drop(SEAT)
      assert.equal(await barrier.take(SEAT), 'taken')
    } finally {
      wake()
    }
  })

  it('a holder gives its vote to a node that was emptied again: one after the other costs it nothing', async () => {
    const [one, two] = [await open(), await open()]
    await one.take(SEAT)
    for (const admin of admins) {
      await admin.flushall()
      assert.deepEqual(await one.extend([SEAT]), ['extended'])
      await until(async () => (await votes()) === 3, { what: 'the vote to be given again' })
      assert.equal(await two.take(SEAT), 'refused')
    }
    await one.drop(SEAT)
    await until(async () => (await votes()) === 0, { what: 'no vote to be left' })
  })

  it('a seat of which two nodes of three were emptied at once is lost', async () => {
    const barrier = await open()
    await barrier.take(SEAT)
    await Promise.all(admins.slice(1).map((admin) => admin.flushall()))
    assert.deepEqual(await barrier.extend([SEAT]), ['lost'])
    await barrier.drop(SEAT)
    assert.equal(await votes(), 0, 'the vote that was left is taken back')
  })

  it('a seat that is prolonged after its end is lost, though nobody took it', async () => {
    const barrier = await open({ leaseMs: 300 })
    await barrier.take(SEAT)
    await until(async () => (await votes()) === 0)
    assert.deepEqual(await barrier.extend([SEAT]), ['lost'])
  })

  it('prolongs by no clock of this host: an hour ahead it has lost nothing', async () => {
    const barrier = await open()
    await barrier.take(SEAT)
    const { now } = Date
    Date.now = () => now() + 3_600_000
    try {
      assert.deepEqual(await barrier.extend([SEAT]), ['extended'])
    } finally {
      Date.now = now
    }
  })

  it('a seat dropped while it is prolonged is not told as lost', async () => {
    const { lines, urls } = await proxied()
    const barrier = await open({ nodes: urls })
    await barrier.take(SEAT)
    await Promise.all(admins.map((admin) => admin.flushall()))
    for (const line of lines) line.delay(50)
    const [answers] = await Promise.all([barrier.extend([SEAT]), barrier.drop(SEAT)])
    assert.deepEqual(answers, ['dropped'])
    assert.deepEqual(await barrier.extend([SEAT]), ['dropped'])
  })

  it('a reply that is lost costs nothing while a quorum has answered', async () => {
    const { lines, urls } = await proxied()
    const barrier = await open({ nodes: urls })
    lines[0]?.loseNextReply()
    assert.equal(await barrier.take(SEAT), 'taken')
    await until(() => troubles.some((text) => text.includes('votes again')))
    lines[1]?.loseNextReply()
    assert.deepEqual(await barrier.extend([SEAT]), ['extended'])
  })

  it('[P24] votes whose replies were lost keep a seat from everybody until they end: an acquire is not repeated', async () => {
    const { lines, urls } = await proxied()
    const barrier = await open({ nodes: urls, leaseMs: 3_000 })
    await answering(barrier)
    lines[0]?.loseNextReply()
    lines[1]?.loseNextReply()
    await assert.rejects(barrier.take(SEAT), StoreUnavailable)
    await until(async () => (await votes()) === 2, { what: 'the vote to be back whose reply came' })
    await answering(barrier)
    assert.equal(await barrier.take(SEAT), 'refused')
    await until(async () => (await barrier.take(SEAT)) === 'taken', { what: 'the lost votes to end' })
  })

  it('gives a connection up that nobody closed and nobody answers on', async () => {
    const { lines, urls } = await proxied()
    const barrier = await open({ nodes: urls })
    await barrier.take(SEAT)
    lines[0]?.swallow()
    await until(async () => {
      await barrier.extend([SEAT])
      return troubles.some((text) => text.includes('does not vote'))
    })
    lines[0]?.heal()
    await until(() => troubles.some((text) => text.includes('votes again')), { what: 'a new connection' })
    assert.deepEqual(await barrier.extend([SEAT]), ['extended'])
  })

  it('[P23] is one connection to each node, whatever it holds', async () => {
    const count = async () => {
      const lists = await Promise.all(admins.map((admin) => admin.call('CLIENT', 'LIST')))
      return lists.map((list) => String(list).trim().split('\n').length)
    }
    // The nodes may not have heard yet that an earlier test's connections are over.
    const alone = async () => ((await count()).every((n) => n === 1) ? count() : undefined)
    const before = await until(alone, { what: 'no other connection' })
    const barrier = await open()
    await Promise.all(Array.from({ length: 20 }, (_, slot) => barrier.take({ ...SEAT, slot })))
    assert.deepEqual(
      await count(),
      before.map((n) => n + 1),
    )
  })

  describe('refuses at its opening', () => {
    const refuses = (nodes: readonly string[], sentence: RegExp) =>
      assert.rejects(open({ nodes }), (error) => {
        assert.ok(error instanceof UsageError, String(error))
        assert.match(error.message, sentence)
        return true
      })

    it('one server under two names', async () => {
      const [first = '', second = ''] = quorum.urls
      await refuses([first, second, second.replace('127.0.0.1', 'localhost')], /are one server by two names/)
    })

    it('a replica, a node that evicts, and one that refuses the password, whose text it does not show', async () => {
      const [first] = quorum.nodes
      const [, second = '', third = ''] = quorum.urls
      const node = await startRedis({ extra: ['--requirepass', 's3cret'] })
      const admin = new Redis(node.url, { password: 's3cret' })
      const withPassword = `redis://:s3cret@127.0.0.1:${node.port}`
      try {
        const urls = [second, third]
        await refuses([...urls, `redis://:wr0ng@127.0.0.1:${node.port}`], /^127\.0\.0\.1:\d+ refuses .* password\.$/)
        await refuses([...urls, node.url], /^127\.0\.0\.1:\d+ refuses .* password\.$/)
        await admin.config('SET', 'maxmemory-policy', 'volatile-lru')
        await refuses([...urls, withPassword], /may evict .* \(maxmemory-policy volatile-lru\).*noeviction/)
        await admin.config('SET', 'maxmemory-policy', 'noeviction')
        await (await open({ nodes: [...urls, withPassword] })).close()
        await admin.replicaof('127.0.0.1', first?.port ?? 0)
        await refuses([...urls, withPassword], /is a replica/)
      } finally {
        admin.disconnect()
        await node.stop()
      }
    })
  })
})
