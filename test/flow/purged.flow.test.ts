import assert from 'node:assert/strict'
import { type App, QueueOnce, Revoked } from '../../src/index.js'
import { App as FreshApp } from '../../src/task-base/app.js'
import { startPostgres } from '../support/postgres-server.js'
import { startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'

interface Place {
  readonly url: string
  stop(): Promise<void>
}

const PLACES: Record<string, () => Promise<Place>> = { redis: startRedis, postgres: startPostgres }

class Report extends QueueOnce {
  readonly name = 'report'
  override readonly once = { keys: ['n'], overlap: 'skip' } as const
  run({ n }: { n: number }): number {
    return n
  }
}

class Pair extends QueueOnce {
  readonly name = 'pair'
  override readonly once = { keys: [], limit: 2, overlap: 'skip' } as const
  run(): void {}
}

/** Deletes the messages of a queue, as somebody may on a page that shows it. */
async function purge(app: App): Promise<void> {
  await (await app.connection()).servers.engine.destroy(['default'])
}

for (const [name, startServer] of Object.entries(PLACES)) {
  describe(`a queue that somebody purged, on ${name}`, function () {
    this.timeout(60_000)
    let server: Place
    let app: App
    let report: ReturnType<typeof register>
    let pair: ReturnType<typeof registerPair>
    const register = () => app.register(Report)
    const registerPair = () => app.register(Pair)

    before(async () => {
      server = await startServer()
      app = new FreshApp('shop', { broker: server.url })
      report = register()
      pair = registerPair()
    })
    after(async () => {
      await app?.close()
      await server?.stop()
    })

    it('[P10] [P18] frees the keys of its messages to later calls, and to parked ones; each is recorded purged', async () => {
      const told: string[] = []
      const stop = app.on('lock:resolved', ({ id, stage, ended }) => told.push(`${id} ${stage} ${ended}`))
      const [first, second, kept] = [
        await report.delay({ n: 1 }),
        await report.delay({ n: 2 }),
        await report.applyAsync([{ n: 3 }], { queue: 'other' }),
      ]
      const parked = await report.applyAsync([{ n: 2 }], { once: { overlap: 'defer' } })
      assert.equal(parked.outcome, 'parked')
      await purge(app)
      assert.equal((await report.delay({ n: 1 })).outcome, 'rejected', 'nobody knows it yet')
      const ask = async () => {
        await report.applyAsync([{ n: 2 }], { once: { overlap: 'defer' } })
        assert.equal((await report.delay({ n: 3 })).outcome, 'rejected', 'what is with the engine keeps its key')
        return (await report.delay({ n: 1 })).outcome === 'published'
      }
      await until(ask, { timeoutMs: 30_000, what: 'a call to get in' })
      await until(() => told.length === 2, { timeoutMs: 30_000, what: 'both to be purged' })
      stop()
      assert.deepEqual(told.sort(), [`${first.id} queued purged`, `${second.id} queued purged`].sort())
      for (const result of [first, second]) {
        await assert.rejects(result.get(), (error: Error) => error instanceof Revoked && error.code === 'PURGED')
      }
      const holders = []
      for await (const row of app.locks.list()) holders.push(row.holder)
      assert.ok(holders.includes(parked.id) && holders.includes(kept.id))
    })

    it('[P10] finds a purged one of several holders behind another that keeps its place', async () => {
      const kept = await pair.applyAsync([], { queue: 'other' })
      const gone = await pair.delay()
      await purge(app)
      const refused = await pair.delay()
      assert.deepEqual([refused.outcome, refused.holder?.id], ['rejected', kept.id])
      const ask = async () => (await pair.delay()).outcome === 'published'
      await until(ask, { timeoutMs: 30_000, what: 'a call to get in' })
      await assert.rejects(gone.get(), (error: Error) => error instanceof Revoked && error.code === 'PURGED')
      assert.equal(await kept.state(), 'PENDING')
    })
  })
}
