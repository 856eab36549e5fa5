import assert from 'node:assert/strict'
import { openEngine } from '../../adapters/bullmq/index.js'
import { openLockStore } from '../../adapters/redis/index.js'
import { shardOf } from '../../adapters/redis/shard.js'
import { slotOf } from '../../adapters/redis/slot.js'
import { PublishUnknown, ServerUnavailable, StoreUnavailable, UsageError } from '../../src/index.js'
import { lockKey } from '../../src/lock/key.js'
import { messageOf } from '../contract/engine/scene.js'
import { acquiring, KEY, releasing, renewal, runStep, TASK } from '../contract/lock-store/scene.js'
import { startScene } from '../support/flow-scene.js'
import { type RedisCluster, startRedisCluster } from '../support/redis-cluster.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'

/** An app whose queues are with the first node. */
const APP = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
  .map((letter) => `clustered-${letter}`)
  .find((app) => slotOf(app) < 5_400)

describe('a Redis cluster', function () {
  this.timeout(120_000)
  let cluster: RedisCluster

  before(async () => {
    cluster = await startRedisCluster({ replica: true })
  })
  after(() => cluster?.stop())

  it('[P1] a key whose slot moves to another node is asked for again there, and never granted twice', async () => {
    const store = await openLockStore({ app: 'moving', url: cluster.url, server: 'the cluster' })
    try {
      assert.equal((await store.acquire(acquiring('a'))).outcome, 'granted')
      const running = await store.advance(runStep('a', { leaseMs: 60_000 }))
      assert.ok(running.outcome === 'granted')
      const move = await beginMove(cluster, slotOf(shardOf('lock', 'moving', KEY).base))
      await move.keys((key) => key.includes(':record:'))
      await assert.rejects(store.acquire(acquiring('b')), (error) => {
        return error instanceof StoreUnavailable && /TRYAGAIN/.test(error.message)
      })
      const meanwhile = until(() => orNothing(() => store.acquire(acquiring('c'))), { what: 'an answer' })
      await move.keys(() => true)
      await move.finish()
      assert.equal((await meanwhile).outcome, 'refused')
      assert.equal((await store.release(releasing('a', running.token))).outcome, 'released')
      assert.equal((await store.acquire(acquiring('d'))).outcome, 'granted')
    } finally {
      await store.destroy()
      await store.close()
    }
  })

  it('a call runs on it from start to end', async () => {
    const scene = await startScene({ place: cluster, app: 'clustered-life' })
    try {
      const calls = await Promise.all(Array.from({ length: 6 }, (_, n) => scene.flow.tag.delay({ n, tag: `${n}` })))
      const values = await Promise.all(calls.map((call) => call.get({ timeout: '60s' })))
      assert.deepEqual(values, ['0', '1', '2', '3', '4', '5'])
      await scene.idle()
    } finally {
      await scene.stop()
    }
  })

  it('goes on after a node was killed: leases of all shards, and messages published under their ids until taken', async () => {
    const options = { app: APP ?? '', server: 'the cluster' }
    const store = await openLockStore({ ...options, url: cluster.url })
    const engine = await openEngine({ ...options, redis: { url: cluster.url } })
    const delivered = new Set<string>()
    const consumer = await engine.consume({
      queues: ['default'],
      concurrency: 2,
      redeliverAfterMs: 2_000,
      deliver: async ({ message }) => {
        delivered.add(message.id)
        return { verdict: 'ack' }
      },
      acknowledged: () => undefined,
      trouble: () => undefined,
    })
    try {
      const keys = Array.from({ length: 40 }, (_, n) => lockKey(TASK, `[${n}]`))
      const leases = await Promise.all(
        keys.map(async (key, n) => {
          await store.acquire(acquiring(`m${n}`, { key }))
          const running = await store.advance(runStep(`m${n}`, { key, leaseMs: 60_000 }))
          assert.ok(running.outcome === 'granted')
          return { ...renewal(`m${n}`, running.token), key, leaseMs: 60_000 }
        }),
      )
      await cluster.replicated()
      process.kill((cluster.primaries[0] as RedisServer).pid, 'SIGKILL')
      const renewing = () => orNothing(() => store.renew({ worker: null, leases, acked: [] }))
      const renewed = await until(renewing, { what: 'the leases to be renewed' })
      assert.ok(renewed.leases.every(({ outcome }) => outcome === 'renewed'))
      const ids = Array.from({ length: 10 }, (_, n) => `after-${n}`)
      for (const id of ids) {
        const message = messageOf(id, { queue: 'default' })
        const publish = async () => {
          await engine.publish(message, { delayMs: 0, head: false })
          return true
        }
        await until(() => orNothing(publish), { what: `${id} to be taken` })
      }
      await until(() => ids.every((id) => delivered.has(id)), { what: 'all to be delivered' })
    } finally {
      await consumer.close('now')
      await engine.close()
      await store.close()
    }
  })

  it('is told from a single server, and a node of it from one', async () => {
    const single = await startRedis()
    try {
      const node = `redis://127.0.0.1:${cluster.primaries[1]?.port}`
      await refused(node, /is a node of a cluster; write redis\+cluster:\/\//)
      await refused(`redis+cluster://127.0.0.1:${single.port}`, /is no cluster; write redis:\/\//)
    } finally {
      await single.stop()
    }
  })

  it('[P24] none of whose nodes answers is unavailable in bounded time', async () => {
    const url = 'redis+cluster://127.0.0.1:1,127.0.0.1:2'
    await assert.rejects(openLockStore({ app: 'away', url, server: 'the cluster' }), ServerUnavailable)
    await assert.rejects(openEngine({ app: 'away', redis: { url }, server: 'the cluster' }), ServerUnavailable)
  })
})

async function refused(url: string, sentence: RegExp): Promise<void> {
  await assert.rejects(openLockStore({ app: 'told', url, server: 'db1' }), (error) => {
    assert.ok(error instanceof UsageError, String(error))
    assert.match(error.message, sentence)
    return true
  })
}

/** Nothing where a server is away or its answer was lost: whoever asks, asks again under the same id. */
async function orNothing<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof ServerUnavailable || error instanceof PublishUnknown) return undefined
    throw error
  }
}

/** A slot on its way from its node to another, as operators move it. */
async function beginMove(cluster: RedisCluster, slot: number) {
  const source = await cluster.ownerOf(slot)
  const target = cluster.primaries.find((node) => node !== source) as RedisServer
  const idOf = (node: RedisServer) => cluster.on(node, async (redis) => String(await redis.call('CLUSTER', 'MYID')))
  const [from, to] = [await idOf(source), await idOf(target)]
  await cluster.on(target, (redis) => redis.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from))
  await cluster.on(source, (redis) => redis.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to))
  return {
    keys: (which: (key: string) => boolean) =>
      cluster.on(source, async (redis) => {
        const keys = (await redis.call('CLUSTER', 'GETKEYSINSLOT', slot, 1_000)) as string[]
        for (const key of keys.filter(which)) await redis.call('MIGRATE', '127.0.0.1', target.port, key, 0, 5_000)
      }),
    finish: async () => {
      for (const node of [target, source]) {
        await cluster.on(node, (redis) => redis.call('CLUSTER', 'SETSLOT', slot, 'NODE', to))
      }
    },
  }
}
