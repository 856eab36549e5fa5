import { Redis } from 'ioredis'
import { connectionOptions } from '../../src/task-base/redis-place.js'
import type { ServerSource } from '../../src/task-base/redis-settings.js'
import { redisPlace } from '../../src/task-base/redis-source.js'

/** A renewal has a fifteenth of the shortest lease between two tries; the connection must not be what it waits for. */
const LONGEST_PAUSE_MS = 250
const SENTINEL_TIMEOUT_MS = 1_000

/** The client as lock connections need it: nothing queues, nothing is resent behind our back, and it always comes back. */
export function clientOf(source: ServerSource, commandTimeoutMs: number): Redis {
  const place = redisPlace(source)
  const sentinels = place.form === 'sentinel'
  const pause = (times: number): number =>
    Math.min(25 * 2 ** Math.min(times, 10), LONGEST_PAUSE_MS) * (0.75 + Math.random() / 4)
  return new Redis({
    ...connectionOptions(place),
    // Of a cluster one node: who wants them all has a connection to each.
    ...(place.form === 'cluster' ? place.nodes[0] : {}),
    lazyConnect: true,
    // Replies as arrays and texts, whatever the server's version.
    protocol: 2,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // Whoever subscribes does so again himself, and then looks for what he missed.
    autoResubscribe: false,
    commandTimeout: commandTimeoutMs,
    // One that does not answer must not keep the other sentinels from being asked.
    connectTimeout: sentinels ? SENTINEL_TIMEOUT_MS : commandTimeoutMs,
    // A half-open connection never says goodbye; waiting for it would cost the repeat its time.
    disconnectTimeout: 100,
    maxLoadingRetryTime: 250,
    keepAlive: 5_000,
    retryStrategy: pause,
    sentinelRetryStrategy: pause,
    sentinelCommandTimeout: SENTINEL_TIMEOUT_MS,
  })
}

/** Connects, or fails with the first error: behind sentinels the client goes on asking them without an end. */
export async function connectOnce(redis: Redis): Promise<void> {
  const connected = redis.connect()
  connected.catch(() => undefined)
  let onError: (error: Error) => void = () => undefined
  const failed = new Promise<never>((_, reject) => {
    onError = reject
  })
  redis.once('error', onError)
  try {
    await Promise.race([connected, failed])
  } finally {
    redis.off('error', onError)
  }
}
