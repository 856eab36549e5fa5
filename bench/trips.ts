import { Redis } from 'ioredis'
import { ACQUIRE } from '../adapters/redis/scripts/acquire.js'
import { RELEASE } from '../adapters/redis/scripts/release.js'
import { RUN } from '../adapters/redis/scripts/run.js'
import { App } from '../src/index.js'
import { startWorker } from '../src/worker/worker.js'
import { figure, type Line } from './line.js'

const MESSAGES = 200
/** Each is a round trip of one message. Not counted is what many share: confirmations, and what keeps leases. */
const VERBS = [ACQUIRE, RUN, RELEASE].map(({ sha }) => sha)

/** What the guard costs on Redis from publish to release; test/flow/trips.flow.test.ts holds the bound, on Postgres too. */
export async function guardTrips({ url, port }: { readonly url: string; readonly port: number }): Promise<Line> {
  const client = new Redis(url)
  const monitor = await client.monitor()
  let trips = 0
  // What a script does within the server is no trip; the broker is on another database.
  monitor.on('monitor', (_, [, sha]: string[], source: string, db: string) => {
    if (source !== 'lua' && db === '1' && VERBS.includes(sha ?? '')) trips += 1
  })
  const app = new App('bench-trips', { broker: url, locks: { url: `redis://127.0.0.1:${port}/1` } })
  const guarded = app.task('bench.trips', { once: { keys: ['n'] } }, (_: { n: number }) => undefined)
  const serving = { module: 'none', name: 'w1@trips', concurrency: 1, pool: 'solo', queues: ['default'] } as const
  const worker = await startWorker({ app, ...serving, softTimeLimitMs: null, timeLimitMs: null })
  try {
    // Scripts are loaded with it.
    await (await guarded.delay({ n: -1 })).get({ timeout: '30s' })
    trips = 0
    const results = await Promise.all(Array.from({ length: MESSAGES }, (_, n) => guarded.delay({ n })))
    await Promise.all(results.map((result) => result.get({ timeout: '30s' })))
  } finally {
    await worker.stop('warm')
    monitor.disconnect()
    client.disconnect()
  }
  return figure(
    'round trips of a guarded message’s own on Redis, publish to release',
    (trips / MESSAGES).toFixed(2),
    '≤ 3',
  )
}
