import assert from 'node:assert/strict'
import { Redis } from 'ioredis'
import { ACQUIRE } from '../../adapters/redis/scripts/acquire.js'
import { CONFIRM } from '../../adapters/redis/scripts/confirm.js'
import { RELEASE } from '../../adapters/redis/scripts/release.js'
import { RENEW } from '../../adapters/redis/scripts/renew.js'
import { RUN } from '../../adapters/redis/scripts/run.js'
import { App, QueueOnce } from '../../src/index.js'
import { startWorker } from '../../src/worker/worker.js'
import { startWire } from '../adapters/postgres-wire.js'
import { startPostgres } from '../support/postgres-server.js'
import { startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'

const MANY = 20
/** So long confirmations are gathered: there is one for calls at once, more where a slow machine takes long to publish. */
const GATHERED_MS = 100

class Report extends QueueOnce {
  readonly name = 'report'
  override readonly once = { keys: ['n'] } as const
  run({ n }: { n: number }): number {
    return n
  }
}

/** What left for the locks' server so far, one text a round trip: the verb and what it was about. */
type Sent = () => readonly string[]

describe('[P23] the round trips of guarded calls from publish to release, renewals aside', function () {
  this.timeout(120_000)

  it('on Redis are three of each call’s own, and a confirmation that those of 100 ms share', async () => {
    const server = await startRedis()
    const verbs = Object.fromEntries([ACQUIRE, CONFIRM, RUN, RELEASE, RENEW].map(({ name, sha }) => [sha, name]))
    const client = new Redis(server.url)
    const monitor = await client.monitor()
    const sent: string[] = []
    monitor.on('monitor', (_, [command, sha, ...rest]: string[], source: string, db: string) => {
      // What a script does within the server is no trip; the broker is on another database.
      if (source !== 'lua' && db === '1') sent.push([verbs[sha ?? ''] ?? `${command} ${sha}`, ...rest].join(' '))
    })
    try {
      const urls = { broker: server.url, locks: `redis://127.0.0.1:${server.port}/1` }
      await counts({ urls, sent: () => sent, most: () => MANY }, ['acquire', 'confirm', 'release', 'run'])
    } finally {
      monitor.disconnect()
      client.disconnect()
      await server.stop()
    }
  })

  it('on Postgres are five with the barrier, and a confirmation that those of 100 ms share', async () => {
    const server = await startPostgres()
    const wire = await startWire(server.connection.port)
    try {
      const locks = server.url.replace(`:${server.connection.port}/`, `:${wire.port}/`)
      const verbs = ['acquire', 'confirm', 'pg_advisory_unlock', 'pg_try_advisory_lock', 'release', 'run']
      await counts(
        { urls: { broker: server.url, locks }, sent: wire.sent, most: (ms) => 1 + Math.ceil(ms / GATHERED_MS) },
        verbs,
      )
    } finally {
      await wire.close()
      await server.remove()
    }
  })
})

interface Counted {
  readonly urls: { readonly broker: string; readonly locks: string }
  readonly sent: Sent
  /** Confirmations of many calls; on Redis one a shard, and all of them one trip: see redis-trips. */
  readonly most: (publishedInMs: number) => number
}

async function counts({ urls, sent, most }: Counted, verbs: readonly string[]): Promise<void> {
  const app = new App('trips', { broker: urls.broker, locks: { url: urls.locks } })
  const report = app.register(Report)
  const serving = { module: 'none', name: 'w1', concurrency: 1, pool: 'solo', queues: ['default'] } as const
  const worker = await startWorker({ app, ...serving, softTimeLimitMs: null, timeLimitMs: null })
  try {
    let publishedInMs = 0
    const play = async (many: number): Promise<string[]> => {
      const ended = new Set<string>()
      const stop = app.on('run:ended', ({ id }) => ended.add(id))
      const before = sent().length
      const startedAt = performance.now()
      const calls = await Promise.all(Array.from({ length: many }, (_, n) => report.delay({ n })))
      publishedInMs = performance.now() - startedAt
      await until(() => ended.size === many, { what: 'all runs to end' })
      stop()
      const { store } = await app.connection()
      const after = () => sent().slice(before)
      const about = (text: string) => calls.some(({ id, key }) => text.includes(id) || text.includes(key ?? id))
      const confirmed = () =>
        calls.every(({ id }) => after().some((text) => /confirm_v1/.test(text) && text.includes(id)))
      await until(confirmed, { what: 'the confirmations' })
      await store.now()
      return after()
        .filter(about)
        .map(verbOf)
        .filter((verb) => verb !== 'renew')
        .sort()
    }
    // Scripts are loaded, connections opened.
    await play(MANY)
    assert.deepEqual(await play(1), verbs)
    const many = await play(MANY)
    const confirmations = many.filter((verb) => verb === 'confirm').length
    assert.equal(many.length - confirmations, MANY * (verbs.length - 1))
    assert.ok(confirmations <= most(publishedInMs), `${confirmations} confirmations of ${publishedInMs} ms`)
  } finally {
    await worker.stop('warm')
  }
}

function verbOf(text: string): string {
  return /pg_\w+|(\w+?)_v1/.exec(text)?.reduce((whole, part) => part ?? whole) ?? text
}
