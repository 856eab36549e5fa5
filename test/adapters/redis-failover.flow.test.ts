import assert from 'node:assert/strict'
import type { Redis } from 'ioredis'
import { openLockStore } from '../../adapters/redis/index.js'
import { StoreUnavailable } from '../../src/lock/error.js'
import { lockKey } from '../../src/lock/key.js'
import type { LockStore } from '../../src/lock/lock-store.js'
import type { Claim } from '../../src/lock/renewal.js'
import type { WaitReplicas } from '../../src/lock/wait-replicas.js'
import { acquiring, KEY, LEASE_MS, LOCK_DELAY_MS, renewal, runStep, TASK } from '../contract/lock-store/scene.js'
import { withRedis } from '../support/redis-client.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { alike, follow, promote } from '../support/replica.js'
import { until } from '../support/until.js'

/** Long enough that nothing of it runs out in a test. */
const LONG = { leaseMs: 60_000 }

describe('a Redis that went back to older data', () => {
  const servers: RedisServer[] = []
  const stores: LockStore[] = []

  afterEach(async () => {
    await Promise.all(stores.splice(0).map((store) => store.close()))
    await Promise.all(servers.splice(0).map((server) => server.stop()))
  })

  const start = async (options?: Parameters<typeof startRedis>[0]): Promise<RedisServer> => {
    const server = await startRedis(options)
    servers.push(server)
    return server
  }
  const open = async ({ url }: RedisServer, waitReplicas?: WaitReplicas): Promise<LockStore> => {
    const store = await openLockStore({ app: 'shop', url, server: 'here', ...(waitReplicas ? { waitReplicas } : {}) })
    stores.push(store)
    return store
  }

  /** Two servers, the second with all that the first has until it is promoted. */
  const pair = async (): Promise<{ first: RedisServer; second: RedisServer }> => {
    const [first, second] = [await start(), await start()]
    await follow(second, first)
    return { first, second }
  }

  it('[P1] [P2] [P3] (F5) a replica promoted without the grant starts nothing else, and the run has its lock there as it renews', async () => {
    const { first, second } = await pair()
    const old = await open(first)
    await swept(old)
    await old.acquire(acquiring('a'))
    await alike(first, second)
    await promote(second)
    const { token, claim } = await granted(old, 'a', LONG)

    // This client remembers nothing: the data themselves tell.
    const promoted = await open(second)
    assert.equal((await promoted.find('a', KEY)).hold?.stage, 'publishing')
    const other = await promoted.advance(runStep('b', LONG))
    assert.equal(other.outcome, 'refused', 'the first call has its place')
    assert.equal((await promoted.advance(runStep('a', { owner: 'o2', ...LONG }))).outcome, 'recovering')
    const lease = { ...renewal('a', token), ...LONG, claim }
    const [renewed] = (await promoted.renew({ worker: null, leases: [lease], acked: [] })).leases
    assert.equal(renewed?.outcome, 'renewed')
    assert.equal((await promoted.advance(runStep('a', { owner: 'o2', ...LONG }))).outcome, 'refused')
    assert.deepEqual(
      (await promoted.show(KEY))?.rows.map((row) => [row.holder, row.token]),
      [['a', token]],
    )
  })

  it('(F5) a server that was promoted, and is made a replica and promoted again, knows of each time', async () => {
    const { first, second } = await pair()
    await granted(await open(first), 'a', { leaseMs: LEASE_MS })
    await alike(first, second)
    for (const [to, from] of [
      [second, first],
      [first, second],
    ] as const) {
      await promote(to)
      const store = await open(to)
      const answer = await store.advance(runStep('b', OTHER))
      assert.notEqual(answer.outcome, 'granted')
      assert.ok(((await swept(store)) ?? 0) > 0, 'the loss is told')
      await until(async () => (await swept(store)) === undefined, { what: 'the end of the grace' })
      await follow(from, to)
      await alike(to, from)
    }
  })

  it('[P2] (F5) after a restart with data nothing starts until the longest lease is over, counted from the restart', async () => {
    const server = await start({ appendonly: true })
    const store = await open(server)
    await store.acquire(acquiring('a'))
    await granted(store, 'a', LONG)
    await server.restart()
    await older(server)
    const newcomer = await open(server)
    const answer = await newcomer.advance(runStep('b', { ...OTHER, ...LONG }))
    assert.ok(answer.outcome === 'recovering')
    assert.ok(answer.remainingMs <= LONG.leaseMs + LOCK_DELAY_MS - 2_000, 'two seconds of it are over')
  })

  it('that got its first replica has lost nothing, and does not say so', async () => {
    const server = await start()
    const store = await open(server)
    await granted(store, 'a', { leaseMs: LEASE_MS })
    // Whatever it lost before, it would have lost before it started.
    await older(server)
    const history = await historyOf(server)
    await follow(await start(), server)
    assert.notEqual(await historyOf(server), history, 'another history all the same')
    assert.equal(await swept(store), undefined)
  })

  it('[P1] [P24] (F5) a grant and a renewal that no replica has in time do not count, and are made up for later', async () => {
    const { first, second } = await pair()
    const store = await open(first, { count: 1, timeoutMs: 100 })
    const { token, claim } = await granted(store, 'a', LONG)
    const batch = { worker: null, leases: [{ ...renewal('a', token), ...LONG, claim }], acked: [] }
    assert.equal((await store.renew(batch)).leases[0]?.outcome, 'renewed')
    process.kill(second.pid, 'SIGSTOP')
    try {
      await assert.rejects(store.advance(runStep('b', { ...OTHER, ...LONG })), tooFew(/0 of 1 replicas had it/))
      await assert.rejects(store.renew(batch), tooFew(/0 of 1 replicas had it/))
      const [row] = (await store.show(OTHER.key))?.rows ?? []
      assert.deepEqual([row?.holder, row?.stage], ['b', 'queued'], 'given back to its message')
    } finally {
      process.kill(second.pid, 'SIGCONT')
    }
    const again = await until(
      async () => {
        const answer = await store.advance(runStep('b', { ...OTHER, ...LONG })).catch(() => undefined)
        return answer?.outcome === 'granted' ? answer : undefined
      },
      { what: 'the replica to hear again' },
    )
    assert.equal(again.deliveries, 1, 'no start of it was counted')
    assert.equal((await store.renew(batch)).leases[0]?.outcome, 'renewed')
    await promote(second)
    await until(async () =>
      (await withRedis(first, (redis) => redis.info('replication'))).includes('connected_slaves:0'),
    )
    await assert.rejects(store.renew(batch), tooFew(/0 of 1 replicas had it/))
    await assert.rejects(store.renew(batch), tooFew(/0 of 1 replicas had it/), 'nor on asking again')
  })
})

function tooFew(why: RegExp) {
  return (error: unknown): boolean => error instanceof StoreUnavailable && why.test(error.message)
}

const OTHER = { key: lockKey(TASK, '[other]') }

async function granted(
  store: LockStore,
  id: string,
  over: Parameters<typeof runStep>[1],
): Promise<{ token: number; claim: Claim }> {
  const step = runStep(id, over)
  const answer = await store.advance(step)
  assert.ok(answer.outcome === 'granted')
  const { round, terms, owner, worker, barrier, slot, lockDelayMs } = step
  const { token, deliveries, retries } = answer
  return { token, claim: { round, terms, owner, worker, barrier, slot, lockDelayMs, deliveries, retries } }
}

async function swept(store: LockStore): Promise<number | undefined> {
  return (await store.sweep({ limit: 10, publishLeaseMs: 1_000, resultMs: 1_000 })).recoveringMs
}

/** Waits until a server is two seconds old for sure: its age is told in whole seconds, and counted from up to one later. */
async function older(server: RedisServer): Promise<void> {
  const isOlder = async (redis: Redis): Promise<boolean> =>
    Number(/uptime_in_seconds:(\d+)/.exec(await redis.info('server'))?.[1]) >= 3
  await until(() => withRedis(server, isOlder), { what: 'the server to be older' })
}

async function historyOf(server: RedisServer): Promise<string | undefined> {
  return withRedis(server, async (redis) => /master_replid:(\w+)/.exec(await redis.info('replication'))?.[1])
}
