import { Redis } from 'ioredis'
import { parseRedisUrl } from './url.js'

/** A renewal has a fifteenth of the shortest lease between two tries; the connection must not be what it waits for. */
const LONGEST_PAUSE_MS = 250

/** The client as lock connections need it: nothing queues, nothing is resent behind our back, and it always comes back. */
export function clientOf(url: string, commandTimeoutMs: number): Redis {
  const { host, port, username, password, db, tls } = parseRedisUrl(url)
  return new Redis({
    host,
    port,
    db,
    lazyConnect: true,
    // Replies as arrays and texts, whatever the server's version.
    protocol: 2,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // Whoever subscribes does so again himself, and then looks for what he missed.
    autoResubscribe: false,
    commandTimeout: commandTimeoutMs,
    connectTimeout: commandTimeoutMs,
    // A half-open connection never says goodbye; waiting for it would cost the repeat its time.
    disconnectTimeout: 100,
    maxLoadingRetryTime: 250,
    keepAlive: 5_000,
    retryStrategy: (times) => Math.min(25 * 2 ** Math.min(times, 10), LONGEST_PAUSE_MS) * (0.75 + Math.random() / 4),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: { servername: host } } : {}),
  })
}
