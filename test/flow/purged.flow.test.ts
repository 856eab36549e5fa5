import assert from 'node:assert/strict'
import { type App, QueueOnce, Revoked, Task } from '../../src/index.js'
import { App as FreshApp } from '../../src/task-base/app.js'
import type { Engine, PurgeVisit } from '../../src/task-base/engine.js'
import type { Message } from '../../src/task-base/message.js'
import { termsOf } from '../../src/task-base/publish-guard.js'
import { purgeQueue } from '../../src/task-base/purge.js'
import { runCommand } from '../cli/command.js'
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

class Plain extends Task {
  readonly name = 'plain'
  run(): void {}
}

/** Deletes the messages of a queue, as somebody may on a page that shows it. */
async function purge(app: App): Promise<void> {
  await (await app.connection()).servers.engine.destroy(['default'])
}

for (const [name, startServer] of Object.entries(PLACES)) {
  describe(`a queue that somebody purged, on ${name}`, function () {
    this.timeout(120_000)
    let server: Place
    let app: App
    let report: ReturnType<typeof register>
    let pair: ReturnType<typeof registerPair>
    let plain: ReturnType<typeof registerPlain>
    const register = () => app.register(Report)
    const registerPair = () => app.register(Pair)
    const registerPlain = () => app.register(Plain)

    before(async () => {
      server = await startServer()
      app = new FreshApp('shop', { broker: server.url })
      report = register()
      pair = registerPair()
      plain = registerPlain()
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

    it('[P10] [P12] `purge` ends what waits, frees its keys and gives parked calls their turn; what runs it leaves alone', async () => {
      const queue = 'reports'
      const call = (n: number, options = {}) => report.applyAsync([{ n }], { queue, ...options })
      const [waiting, later, holder] = [await call(11), await call(12, { countdown: '1h' }), await call(13)]
      const parked = await call(13, { once: { overlap: 'defer' } })
      const free = await plain.applyAsync([], { queue })
      const running = await call(14)
      await beginsToRun(running.id, 14)
      const unknown = await app.sendTask('of.nobody', [1], { queue })
      const others = await report.applyAsync([{ n: 15 }], { queue: 'other' })
      // More than a purge looks at once: what has its turn meanwhile stands before them.
      await Promise.all(Array.from({ length: 120 }, () => plain.applyAsync([], { queue })))

      const { code, stdout, stderr } = await runCommand(purging('reports', 'empty', '--yes', '--json'))
      assert.equal(code, 0, stderr)
      assert.deepEqual(JSON.parse(stdout), [
        { app: 'shop', queue, purged: 125, running: 1, promoted: 1 },
        { app: 'shop', queue: 'empty', purged: 0, running: 0, promoted: 0 },
      ])
      for (const result of [waiting, later, holder, free, unknown]) {
        await assert.rejects(result.get(), (error: Error) => error instanceof Revoked && error.code === 'PURGED')
      }
      const { engine } = (await app.connection()).servers
      const left = [parked, running, waiting, later, holder, free]
      assert.deepEqual(await Promise.all(left.map(({ id }) => engine.state(queue, id))), [
        ...['waiting', 'waiting'],
        ...['absent', 'absent', 'absent', 'absent'],
      ])
      assert.deepEqual(
        [(await call(11)).outcome, (await call(13)).holder?.id, (await call(14)).holder?.id],
        ['published', parked.id, running.id],
      )
      assert.equal(await others.state(), 'PENDING')
      await until(async () => (await app.totals())['report']?.['purged'] !== undefined, { what: 'its count' })
    })

    it('[P10] two purges at once count and tell of each message once', async () => {
      const queue = 'twice'
      const holder = await report.applyAsync([{ n: 31 }], { queue })
      const parked = await report.applyAsync([{ n: 31 }], { queue, once: { overlap: 'defer' } })
      const connection = await app.connection()
      const { servers } = connection
      const [slow, fast] = [tally(), tally()]
      const told: string[] = []
      const stop = app.on('call:ended', ({ id }) => told.push(id))
      // The other purge comes between this one's look and its step, maybe in the very same millisecond.
      const purge = async (of: string, { ended }: PurgeVisit) => {
        const seen: Message[] = []
        const look = { ended: async (message: Message) => seen.push(message) < 0, removed: async () => {} }
        await servers.engine.purge(of, look)
        await purgeQueue(connection, of, fast)
        for (const message of seen) await ended(message)
      }
      const engine: Engine = Object.assign(Object.create(servers.engine), { purge })
      await purgeQueue({ ...connection, servers: { ...servers, engine } }, queue, slow)
      stop()
      assert.deepEqual([fast, slow], [{ purged: 1, running: 0, promoted: 1 }, tally()])
      assert.deepEqual([told, await parked.state()], [[holder.id], 'PENDING'])
    })

    const tally = () => ({ purged: 0, running: 0, promoted: 0 })

    it('`purge` asks before, and refuses where it cannot', async () => {
      const call = await report.applyAsync([{ n: 21 }], { queue: 'asked' })
      const { code, stderr } = await runCommand(purging('asked'))
      assert.deepEqual([code, await call.state()], [2, 'PENDING'])
      assert.match(stderr, /purge: there is no terminal to ask on; add --yes/)
      const forced = await runCommand(purging('asked', '--force'))
      assert.deepEqual([forced.code, forced.stdout], [0, 'asked: 1 message was purged\n'])
      const nope = await runCommand(purging('nope', 'noper', '--yes', '--json'))
      assert.deepEqual([nope.code, nope.stdout], [3, '[]\n'])
      assert.match(nope.stderr, /nope, noper: nothing was ever published to them, and no worker serves them\.\n/)
      assert.equal((await runCommand(purging('--yes'))).code, 0, 'the queue default is always known')
      assert.match((await runCommand(purging('a b', '--yes'))).stderr, /purge: queue must be a name .*"a b"/)
    })

    const purging = (...args: string[]) => ['--app', 'shop', '--broker', server.url, 'purge', ...args]

    /** As a worker does that has just been given it. */
    async function beginsToRun(messageId: string, n: number): Promise<void> {
      const { store } = await app.connection()
      const message = await app.message(await app.targetOf('report'), [{ n }], { id: messageId, queue: 'reports' })
      const ref = { key: message.lock.key, messageId, round: 0, publishedAt: message.publishedAt }
      const by = { owner: 'o1', worker: 'w1', barrier: 'none', slot: 0, maxDeliveries: 3, minRunMs: 0 } as const
      const times = { publishLeaseMs: 1_000, resultMs: 60_000, lockDelayMs: 0, leaseMs: 60_000 }
      const terms = termsOf(message)
      const answer = await store.advance({ ...ref, ...by, ...times, terms, to: 'running', whenHeld: 'wait' })
      assert.equal(answer.outcome, 'granted')
    }

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
