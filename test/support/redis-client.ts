import { Redis } from 'ioredis'
import type { RedisServer } from './redis-server.js'

/** Runs `body` with a plain client of the server, for what a test wants to see or do behind a store's back. */
export async function withRedis<T>(server: RedisServer, body: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(server.port, '127.0.0.1', { protocol: 2 })
  try {
    return await body(redis)
  } finally {
    redis.disconnect()
  }
}
