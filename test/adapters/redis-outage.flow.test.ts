import assert from 'node:assert/strict'
import { openLockStore } from '../../adapters/redis/index.js'
import { StoreUnavailable, UsageError } from '../../src/lock/error.js'
import { lockKey } from '../../src/lock/key.js'
import type { LockStore } from '../../src/lock/lock-store.js'
import type { LockRow } from '../../src/lock/lock-view.js'
import { acquiring, KEY, releasing, renewal, runStep, TASK } from '../contract/lock-store/scene.js'
import { ranMs } from '../support/machine-time.js'
import { withRedis } from '../support/redis-client.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'

const OTHER_KEY = lockKey(TASK, '[2]')

const told = ({ holder, stage, token, expiresAt }: LockRow) => ({ holder, stage, token, expiresAt })

const CLEARING = {
  key: KEY,
  parked: false,
  running: 'drop',
  by: 'ada',
  publishLeaseMs: 1_000,
  resultMs: 1_000,
} as const

describe('a Redis that fails', () => {
  let server: RedisServer
  let proxy: TcpProxy
  let store: LockStore

  beforeEach(async () => {
    server = await startRedis({ appendonly: true })
    proxy = await startTcpProxy(server.port)
    store = await open(`redis://127.0.0.1:${proxy.port}`)
  })
  afterEach(async () => {
    await store.close()
    await proxy.stop()
    await server.stop()
  })

  it('[P24] is its own error while it is down, in bounded time, and serves again when it is back', async () => {
    await server.stop()
    const startNs = process.hrtime.bigint()
    await assert.rejects(store.acquire(acquiring('a')), unavailable())
    await assert.rejects(store.renew({ worker: null, leases: [], acked: [] }), unavailable())
    assert.ok(ranMs(startNs) < 6_000)
    await server.restart()
    assert.equal((await store.acquire(acquiring('a'))).outcome, 'granted')
  })

  it('[P21] whose reply was lost is asked again and answers the same, with no second effect', async () => {
    await store.acquire(acquiring('a'))
    await store.acquire(acquiring('b', { whenHeld: { do: 'park', capacity: 1, keep: 'first' } }))
    proxy.loseNextReply()
    const running = await store.advance(runStep('a', { leaseMs: 10_000 }))
    assert.ok(running.outcome === 'granted')
    assert.equal(running.deliveries, 1)
    proxy.loseNextReply()
    const ended = await store.release(releasing('a', running.token))
    assert.ok(ended.outcome === 'released')
    assert.equal(ended.promotion?.messageId, 'b')
    assert.equal((await store.show(KEY))?.outcomes.length, 1)
  })

  it('[P9] whose reply to a clear was lost does not clear the next holder', async () => {
    await store.acquire(acquiring('a'))
    await store.acquire(acquiring('b', { whenHeld: { do: 'park', capacity: 1, keep: 'first' } }))
    proxy.loseNextReply()
    const answer = await store.clear(CLEARING)
    assert.deepEqual(
      answer.freed.map((holder) => holder.id),
      ['a'],
    )
    assert.equal(answer.promotion?.messageId, 'b')
    assert.equal((await store.show(KEY))?.rows[0]?.holder, 'b')
  })

  it('[P24] that answers nothing any more is unavailable in bounded time, and found again on a new connection', async () => {
    const impatient = await open(`redis://127.0.0.1:${proxy.port}`, 800)
    try {
      proxy.swallow()
      const startNs = process.hrtime.bigint()
      await assert.rejects(impatient.now(), unavailable())
      assert.ok(ranMs(startNs) < 4_000)
      proxy.heal()
      assert.ok((await impatient.now()) > 0)
    } finally {
      await impatient.close()
    }
  })

  it('[P21] that fell silent on one connection only is asked again on another', async () => {
    const impatient = await open(`redis://127.0.0.1:${proxy.port}`, 800)
    try {
      proxy.swallow()
      const answer = impatient.acquire(acquiring('a'))
      setTimeout(() => proxy.heal(), 400)
      assert.equal((await answer).outcome, 'granted')
    } finally {
      await impatient.close()
    }
  })

  it('[P24] that was made a replica or is out of memory is unavailable and says why', async () => {
    await withRedis(server, (redis) => redis.call('REPLICAOF', '127.0.0.1', '1'))
    await assert.rejects(store.acquire(acquiring('a')), unavailable(/READONLY/))
    await withRedis(server, (redis) => redis.call('REPLICAOF', 'NO', 'ONE'))
    await withRedis(server, (redis) => redis.config('SET', 'maxmemory', '1'))
    await assert.rejects(store.acquire(acquiring('a')), unavailable(/its memory is full \(OOM, maxmemory\)/))
  })

  it('[P1] [P4] [P24] (F5) whose memory is full grants, renews and ends nothing, and goes on from there once there is room', async () => {
    const step = runStep('a', { leaseMs: 20_000 })
    await store.acquire(acquiring('a'))
    const running = await store.advance(step)
    assert.ok(running.outcome === 'granted')
    await store.acquire(acquiring('b', { key: OTHER_KEY }))
    const before = await store.show(KEY)
    await withRedis(server, (redis) => redis.config('SET', 'maxmemory', '1'))
    const full = unavailable(/its memory is full/)
    await assert.rejects(store.acquire(acquiring('c', { key: lockKey(TASK, '[3]') })), full)
    assert.equal((await store.acquire(acquiring('c'))).outcome, 'refused', 'what it need not write for it says')
    await assert.rejects(store.advance(runStep('b', { key: OTHER_KEY })), full)
    await assert.rejects(store.release(releasing('a', running.token)), full)
    const lease = { ...renewal('a', running.token), leaseMs: 30_000 }
    await assert.rejects(store.renew({ worker: null, leases: [lease], acked: [] }), full)
    assert.deepEqual((await store.show(KEY))?.rows.map(told), before?.rows.map(told))
    await withRedis(server, (redis) => redis.config('SET', 'maxmemory', '0'))
    assert.deepEqual((await store.renew({ worker: null, leases: [lease], acked: [] })).leases[0]?.outcome, 'renewed')
    assert.equal((await store.release(releasing('a', running.token))).outcome, 'released')
    assert.equal((await store.advance(runStep('b', { key: OTHER_KEY }))).outcome, 'granted')
  })

  it('that evicts any key is refused at opening, with advice', async () => {
    await withRedis(server, (redis) => redis.config('SET', 'maxmemory-policy', 'allkeys-lru'))
    await assert.rejects(open(server.url), (error) => error instanceof UsageError && /allkeys-lru/.test(error.message))
  })

  it('that refuses the credentials says so at once, without showing them', async () => {
    await withRedis(server, (redis) => redis.config('SET', 'requirepass', 's3cret'))
    const startNs = process.hrtime.bigint()
    await assert.rejects(open(server.url), (error) => error instanceof UsageError && /password/.test(error.message))
    const wrong = `redis://:wr0ng@127.0.0.1:${server.port}`
    await assert.rejects(open(wrong), (error) => {
      return error instanceof UsageError && /refuses/.test(error.message) && !error.message.includes('wr0ng')
    })
    assert.ok(ranMs(startNs) < 1_500)
    const right = await open(`redis://:s3cret@127.0.0.1:${server.port}`)
    await right.close()
  })

  it('that has no database of that number is refused at opening: the client would go on in another', async () => {
    await assert.rejects(open(`${server.url.replace(/\/0$/, '')}/99`), (error) => {
      return error instanceof UsageError && /no database 99 .*--locks/.test(error.message)
    })
    const seventh = await open(`${server.url.replace(/\/0$/, '')}/7`)
    await seventh.close()
  })

  it('[P24] that is not there is unavailable at opening and leaves nothing behind', async () => {
    await server.stop()
    await assert.rejects(open(server.url), unavailable(/ECONNREFUSED/))
  })

  it('does not answer a store that was closed', async () => {
    await store.close()
    await assert.rejects(store.now(), unavailable(/closed/))
  })
})

function open(url: string, commandTimeoutMs = 3_000): Promise<LockStore> {
  return openLockStore({ app: 'shop', url, server: 'db1:6379', commandTimeoutMs })
}

function unavailable(why = /./): (error: unknown) => boolean {
  return (error) => error instanceof StoreUnavailable && error.server === 'db1:6379' && why.test(error.message)
}
