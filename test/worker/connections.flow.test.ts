import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import pg from 'pg'
import { startWorker } from '../../src/worker/worker.js'
import { setFlowEnv } from '../support/flow-env.js'
import { startPostgres } from '../support/postgres-server.js'
import { startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'

const MODULE = fileURLToPath(new URL('../support/flow-app.js', import.meta.url))

/** What the locks', the keeper's and the timetable's pool may grow to. */
const LOCK_POOLS = 4 + 4 + 2
/** What the publishing and the consuming pool may grow to, with one queue. */
const ENGINE_POOLS = 4 + 5

describe('[P23] the connections of a worker, none of them a child’s or a run’s', function () {
  this.timeout(120_000)

  it('on Redis are as many with four children that are busy as with one', async () => {
    const server = await startRedis()
    const client = new Redis(server.url)
    const count = async () =>
      String(await client.call('CLIENT', 'LIST'))
        .trim()
        .split('\n').length - 1
    try {
      const counted = [await whileBusy(server.url, 1, count), await whileBusy(server.url, 4, count)]
      assert.equal(counted[0], counted[1])
    } finally {
      client.disconnect()
      await server.stop()
    }
  })

  it('on Postgres are one with the barrier, and bounded pools of the parent', async () => {
    const server = await startPostgres()
    const client = new pg.Client(server.url)
    await client.connect()
    const count = async () => {
      const { rows } = await client.query<{ name: string }>(
        "select application_name as name from pg_stat_activity where application_name like 'beatlock%'",
      )
      const of = (named: RegExp) => rows.filter(({ name }) => named.test(name)).length
      return { barrier: of(/:w1$/), locks: of(/^beatlock:[^:]+$/), engine: of(/^beatlock$/) }
    }
    try {
      for (const concurrency of [1, 6]) {
        const { barrier, locks, engine } = await whileBusy(server.url, concurrency, count)
        assert.equal(barrier, 1)
        assert.ok(locks <= LOCK_POOLS, `${locks} of the locks`)
        assert.ok(engine <= ENGINE_POOLS, `${engine} of the engine`)
      }
    } finally {
      await client.end()
      await server.stop()
    }
  })
})

let apps = 0

/** What is counted while as many bodies run as the worker has children. */
async function whileBusy<T>(broker: string, concurrency: number, count: () => Promise<T>): Promise<T> {
  const name = `connections-${++apps}`
  const restore = setFlowEnv({ app: name, broker })
  try {
    const { app, slow } = (await import(`${MODULE}?${name}`)) as typeof import('../support/flow-app.js')
    const limits = { softTimeLimitMs: null, timeLimitMs: null }
    const options = { app, module: MODULE, name: 'w1', concurrency, pool: 'prefork', queues: ['default'] } as const
    const worker = await startWorker({ ...options, ...limits })
    try {
      const warm = Array.from({ length: 8 }, (_, n) => slow.delay({ n, ms: 1 }))
      await Promise.all((await Promise.all(warm)).map((result) => result.get()))
      const busy = await Promise.all(
        Array.from({ length: concurrency }, (_, n) => slow.delay({ n: 10 + n, ms: 60_000 })),
      )
      await until(() => worker.running() === concurrency, { what: 'all children to be busy' })
      const counted = await count()
      assert.equal(worker.running(), concurrency)
      await Promise.all(busy.map((result) => app.revoke(result, { terminate: true })))
      return counted
    } finally {
      await worker.stop('warm')
    }
  } finally {
    restore()
  }
}
