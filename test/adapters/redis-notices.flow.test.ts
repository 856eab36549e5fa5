import assert from 'node:assert/strict'
import { openLockStore } from '../../adapters/redis/index.js'
import type { LockStore } from '../../src/lock/lock-store.js'
import { type LockStoreBench, sceneOf } from '../contract/lock-store/scene.js'
import { withRedis } from '../support/redis-client.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'
import { benchOf } from './redis-bench.js'

describe('notices of Redis', () => {
  let server: RedisServer
  let bench: LockStoreBench
  before(async () => {
    server = await startRedis()
  })
  beforeEach(async () => {
    bench = await benchOf(server.url, openLockStore)
  })
  afterEach(() => bench.close())
  after(() => server.stop())

  const ask = (command: string, ...args: string[]): Promise<unknown> =>
    withRedis(server, (redis) => redis.call(command, ...args))
  const subscribers = async (): Promise<number> => {
    const list = String(await ask('CLIENT', 'LIST', 'TYPE', 'pubsub'))
    return list.split('\n').filter((line) => line !== '').length
  }

  it('[P23] come on one connection a store, opened by the first who listens and gone with the store', async () => {
    const store = await bench.another()
    assert.equal(await subscribers(), 0)
    const looks = Array.from({ length: 50 }, (_, n) => count(store, `message:m${n}`))
    await until(() => looks.every(({ looked }) => looked > 0))
    assert.equal(await subscribers(), 1)
    await store.close()
    await until(async () => (await subscribers()) === 0)
  })

  it('come again when the connection was lost, and everyone looks for what he missed', async () => {
    const look = count(await bench.another(), 'message:a')
    await until(() => look.looked === 1)
    await ask('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await until(() => look.looked === 2, { what: 'a look after the reconnection' })
    await sceneOf(bench).revoke('a')
    await until(() => look.looked === 3, { what: 'the notice' })
  })

  it('[P19] that a user may not send or hear cost no lock its step', async () => {
    await ask('ACL', 'SETUSER', 'quiet', 'on', '>pw', '~*', '+@all', 'resetchannels')
    const url = new URL(server.url)
    Object.assign(url, { username: 'quiet', password: 'pw' })
    const quiet = await benchOf(url.href, openLockStore)
    try {
      const scene = sceneOf(quiet)
      const look = count(quiet.store, 'worker:w1@host')
      await scene.acquire('a')
      const token = await scene.running('a', { leaseMs: 60_000 })
      await scene.park('b')
      assert.equal((await scene.clear({ running: 'cancel' })).cancelled.length, 1)
      assert.deepEqual(await scene.renew('a', token), { outcome: 'lost', reason: 'cancelled' })
      const ended = await scene.release('a', token)
      assert.ok(ended.outcome === 'released' && ended.promotion?.messageId === 'b')
      assert.equal(look.looked, 0)
    } finally {
      await quiet.close()
    }
  })
})

function count(store: LockStore, topic: Parameters<LockStore['listen']>[0]): { looked: number } {
  const counted = { looked: 0 }
  store.listen(topic, () => {
    counted.looked += 1
  })
  return counted
}
