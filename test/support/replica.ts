import assert from 'node:assert/strict'
import { withRedis } from './redis-client.js'
import type { RedisServer } from './redis-server.js'
import { until } from './until.js'

/** Makes a server the replica of another one, and waits until it is. */
export async function follow(replica: RedisServer, primary: RedisServer): Promise<void> {
  await withRedis(replica, (redis) => redis.call('REPLICAOF', '127.0.0.1', String(primary.port)))
  await until(
    () => withRedis(replica, async (redis) => /master_link_status:up/.test(await redis.info('replication'))),
    {
      what: 'the replica to follow',
    },
  )
}

/** Waits until a replica has all that its primary has. */
export async function alike(primary: RedisServer, replica: RedisServer): Promise<void> {
  await withRedis(primary, async (redis) => {
    await redis.set('written', 'last')
    assert.equal(await redis.wait(1, 10_000), 1)
  })
  await withRedis(replica, (redis) => redis.get('written'))
}

/** Makes a replica a primary of its own, cut off from the one that it followed. */
export async function promote(replica: RedisServer): Promise<void> {
  await withRedis(replica, (redis) => redis.call('REPLICAOF', 'NO', 'ONE'))
}
