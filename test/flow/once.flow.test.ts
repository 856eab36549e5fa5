import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { App, Rejected, type Revoked, type TaskFailed } from '../../src/index.js'
import type { AppEvents } from '../../src/task-base/event.js'
import { startWorker } from '../../src/worker/worker.js'
import { runCommand } from '../cli/command.js'
import type { BodyLine } from '../support/flow-app.js'
import { type FlowApp, type FlowScene, PLACES, type Place, startScene } from '../support/flow-scene.js'
import { ranMs } from '../support/machine-time.js'
import { until } from '../support/until.js'

const MODULE = fileURLToPath(new URL('../support/flow-app.js', import.meta.url))

for (const [name, startServer] of Object.entries(PLACES)) {
  describe(`a guarded task from call to result, on ${name}`, function () {
    this.timeout(120_000)
    let server: Place
    let scene: FlowScene
    let app: App
    let flow: FlowApp
    const attempts = new Map<string, number>()
    /** What a second process does: the memory store has none. */
    const onServers: (title: string, body: () => Promise<void>) => void = name === 'memory' ? () => {} : it
    const events: { name: keyof AppEvents; id: string }[] = []

    before(async () => {
      server = await startServer()
      scene = await startScene({ place: server, app: `flow-${name}` })
      app = scene.app
      flow = scene.flow
      for (const each of ['run:started', 'run:ended', 'run:crashed', 'run:duplicate', 'run:retried'] as const) {
        app.on(each, (event) => events.push({ name: each, id: event.id }))
      }
      app.on('run:ended', ({ id, attempt }) => attempts.set(id, attempt))
    })

    after(async () => {
      await scene?.stop()
      await server?.stop()
    })

    afterEach(() => scene.idle())

    const bodies = (id: string): BodyLine[] => scene.bodies(id)
    const finish = (id: string): void => scene.finish(id)
    const started = (id: string): Promise<unknown> => scene.started(id)

    it('runs and gives its value back', async () => {
      const result = await flow.slow.delay({ n: 1 })
      assert.equal(result.outcome, 'published')
      assert.equal(await result.get({ timeout: '20s' }), 1)
      assert.equal(await result.state(), 'SUCCESS')
      const [start, end] = bodies(result.id)
      assert.equal(start?.event, 'start')
      assert.ok(Number.isSafeInteger(start.token))
      assert.equal(end?.event, 'end')
    })

    it('runs a plain task, and one that publishes a guarded call from its child', async () => {
      const text = { text: 'a\u0000é\u2028', list: [1, null, { b: 1, a: 2 }] }
      const echoed = await (await flow.plain.delay(text)).get({ timeout: '20s' })
      assert.equal(JSON.stringify(echoed), JSON.stringify(text))
      const result = await flow.publisher.delay(77)
      assert.equal(await result.get({ timeout: '20s' }), 'published')
    })

    it('shares with other children what is kept on the server, and no global', async () => {
      const calls = [await flow.meet.delay(), await flow.meet.delay()]
      const ends = await Promise.all(calls.map((call) => call.get({ timeout: '20s' })))
      assert.deepEqual(
        ends.map(({ met, shared }) => [met, shared]),
        [
          [1, 2],
          [1, 2],
        ],
      )
      assert.deepEqual(ends.map(({ first }) => first).sort(), [false, true])
      assert.equal(await app.shared.get('meet.count'), 2)
    })

    it('hands headers to the body after a retry, and those of a parked call after its promotion', async () => {
      const first = await flow.headed.applyAsync([{ n: 1, told: true }], { headers: { trace: 'first' } })
      const second = await flow.headed.applyAsync([{ n: 2 }], { headers: { trace: 'é\u0000', tenant: '7' } })
      assert.equal(second.outcome, 'parked')
      finish(first.id)
      assert.deepEqual(await first.get({ timeout: '20s' }), { trace: 'first' })
      assert.deepEqual(await second.get({ timeout: '20s' }), { trace: 'é\u0000', tenant: '7' })
    })

    it('[P12] refuses a second call while the first is running, and takes it when that has ended', async () => {
      const first = await flow.slow.delay({ n: 2, told: true })
      await started(first.id)
      assert.equal(await first.state(), 'STARTED')
      const second = await flow.slow.delay({ n: 2 })
      assert.equal(second.outcome, 'rejected')
      assert.equal(second.holder?.id, first.id)
      assert.equal(second.holder?.worker, 'w1')
      await assert.rejects(second.get(), Rejected)
      finish(first.id)
      await first.get({ timeout: '20s' })
      const third = await flow.slow.delay({ n: 2 })
      assert.equal(await third.get({ timeout: '20s' }), 2)
    })

    it('[P18] runs one deferred call after the holder; later ones follow it to its value', async () => {
      const defer = { once: { overlap: 'defer' } } as const
      const first = await flow.slow.applyAsync([{ n: 3, told: true }], defer)
      const second = await flow.slow.applyAsync([{ n: 3, ms: 1 }], defer)
      const third = await flow.slow.applyAsync([{ n: 3, ms: 1 }], defer)
      assert.deepEqual([first.outcome, second.outcome, third.outcome], ['published', 'parked', 'coalesced'])
      finish(first.id)
      assert.equal(await third.get({ timeout: '20s' }), 3)
      const [, ended] = bodies(first.id)
      const [begun] = bodies(second.id)
      assert.ok(
        ended && begun && BigInt(begun.ns) > BigInt(ended.ns),
        'the parked call began after the holder had ended',
      )
      assert.ok((begun.token ?? 0) > (ended.token ?? 0), '[P3] with a higher token')
      assert.equal(bodies(third.id).length, 0)
    })

    it('[P8] [P13] a killed child’s key is queued for its own message, which runs again under a higher token', async () => {
      const crashed = new Promise<AppEvents['run:crashed']>((resolve) => app.on('run:crashed', resolve))
      const result = await flow.crashOnce.delay({ n: 4, told: true })
      await started(result.id)
      const crashedNs = BigInt(bodies(result.id)[0]?.ns ?? 0)
      const ms = Math.min((await crashed).ms, ranMs(crashedNs))
      assert.ok(ms < 1000, `queued ${ms} ms after the exit was seen`)
      assert.equal((await flow.crashOnce.delay({ n: 4 })).outcome, 'rejected', '[P12] its key is kept')
      finish(result.id)
      assert.equal(await result.get({ timeout: '30s' }), 4)
      const [first, second, end] = bodies(result.id)
      assert.deepEqual([first?.attempt, second?.attempt, end?.event], [1, 2, 'end'])
      assert.ok((second?.token ?? 0) > (first?.token ?? 0))
    })

    it('gives a message up that kills its process each time, and tells each time whether it runs again', async () => {
      const told: boolean[] = []
      const stop = app.on('run:crashed', ({ again }) => told.push(again))
      const result = await flow.crashAlways.delay({ n: 5 })
      await assert.rejects(result.get({ timeout: '30s' }), (error: TaskFailed) => error.code === 'MAX_DELIVERIES')
      // The outcome may be heard of before the worker has its own answer.
      await until(() => told.length === 3, { what: 'the last crash to be told' })
      stop()
      assert.deepEqual([bodies(result.id).length, told], [3, [true, true, false]])
    })

    it('[P12] keeps the key through retries and their countdowns', async () => {
      const result = await flow.retryTwice.delay({ n: 6, ms: 2_500 })
      await until(() => events.some((event) => event.name === 'run:retried' && event.id === result.id))
      assert.equal(await result.state(), 'RETRY')
      assert.equal((await flow.retryTwice.delay({ n: 6 })).outcome, 'rejected')
      assert.equal(await result.get({ timeout: '20s' }), 6)
      await until(() => attempts.get(result.id) === 3, { what: 'its end to be told as that of the third attempt' })
      const starts = bodies(result.id).filter((line) => line.event === 'start')
      assert.deepEqual(
        starts.map((line) => line.attempt),
        [1, 2, 3],
      )
    })

    it('kills a spinning body at its hard limit and frees its key', async () => {
      const result = await flow.spin.delay({ n: 7 })
      await assert.rejects(result.get({ timeout: '20s' }), (error: TaskFailed) => error.code === 'TIME_LIMIT')
      assert.equal(await result.state(), 'FAILURE')
      assert.equal(bodies(result.id).length, 1)
    })

    it('carries a task’s error to its caller', async () => {
      const result = await flow.fail.delay({ n: 8 })
      await assert.rejects(result.get({ timeout: '20s' }), (error: TaskFailed) => {
        const cause = error.cause as Error
        return error.code === 'TASK_ERROR' && cause.name === 'RangeError' && cause.message === 'as it must'
      })
    })

    it('[P10] records an expired call as expired and frees its key', async () => {
      const result = await flow.slow.applyAsync([{ n: 9 }], { countdown: '400ms', expires: '100ms' })
      await assert.rejects(result.get({ timeout: '20s' }), (error: Revoked) => error.code === 'EXPIRED')
      assert.equal(await result.state(), 'REVOKED')
      assert.equal(bodies(result.id).length, 0)
    })

    it('starts a call with a countdown not before its time', async () => {
      const at = Date.now()
      const result = await flow.slow.applyAsync([{ n: 10 }], { countdown: '700ms' })
      await result.get({ timeout: '20s' })
      assert.ok(Date.now() - at >= 690)
    })

    it('[P9] clears a running lock only with force; then its body is stopped before the next begins', async () => {
      const result = await flow.slow.delay({ n: 11, ms: 30_000 })
      await started(result.id)
      const { value: lock } = await app.locks.list().next()
      assert.ok(lock)
      const left = await app.locks.clear(lock.key)
      assert.deepEqual(
        left.kept.map((holder) => holder.id),
        [result.id],
      )
      const cancelled = await app.locks.clear(lock.key, { force: true })
      assert.deepEqual(
        cancelled.cancelled.map((holder) => holder.id),
        [result.id],
      )
      await assert.rejects(result.get({ timeout: '20s' }), (error: Revoked) => error.code === 'CLEARED')
      const next = await flow.slow.delay({ n: 11 })
      assert.equal(await next.get({ timeout: '20s' }), 11)
    })

    it('[P8] a publisher that died before its message was with the engine holds the key for a bounded time', async () => {
      const { store } = await app.connection()
      const message = await app.message(app.tasks.get('slow') as never, [{ n: 12 }], { id: 'died-early' })
      const { key, label, limit, mode, timeoutMs } = message.lock
      const terms = {
        task: 'slow',
        label,
        queue: 'default',
        limit,
        mode,
        timeoutMs,
        guarded: true,
        notBefore: null,
        expiresAt: null,
      }
      const ref = { key, messageId: message.id, round: 0 }
      await store.acquire({
        ...ref,
        terms,
        whenHeld: { do: 'refuse' },
        publishLeaseMs: 3000,
        message: '',
        resultMs: 60_000,
      })
      assert.equal((await flow.slow.delay({ n: 12 })).outcome, 'rejected')
      const next = await until(async () => {
        const result = await flow.slow.delay({ n: 12 })
        return result.outcome === 'published' ? result : undefined
      })
      assert.equal(await next.get({ timeout: '20s' }), 12)
    })

    onServers('[P12] a call by name takes its key at publish, by what the workers have told', async () => {
      const stranger = new App(app.name, { broker: server.url })
      try {
        const first = await stranger.sendTask('slow', [{ n: 14 }], { queue: 'nobody' })
        const second = await stranger.sendTask('slow', [{ n: 14, ms: 1 }])
        assert.deepEqual([first.outcome, second.outcome, second.holder?.id], ['published', 'rejected', first.id])
        assert.equal((await flow.slow.delay({ n: 14 })).holder?.id, first.id)
        const { value: lock } = await app.locks.list().next()
        assert.equal(lock?.label, 'slow n=14')
        await app.locks.clear(lock.key)
      } finally {
        await stranger.close()
      }
    })

    onServers('names the tasks that its workers guard in different ways, once and in the status', async () => {
      const odd = new App(app.name, { broker: server.url })
      odd.task('slow', { once: { keys: ['n'], overlap: 'raise' } }, async (_: { n: number }) => 0)
      const found: AppEvents['guard:differs'][] = []
      odd.on('guard:differs', (each) => found.push(each))
      const settings = { module: MODULE, concurrency: 1, pool: 'prefork', queues: ['nobody'] } as const
      const limits = { softTimeLimitMs: null, timeLimitMs: null }
      const second = await startWorker({ app: odd, name: 'w2', ...settings, ...limits })
      try {
        assert.deepEqual(found, [{ task: 'slow', workers: ['w1', 'w2'] }])
        const { store } = await app.connection()
        await until(async () => (await store.workers({ allApps: false })).length === 2, { what: 'both workers' })
        const { stderr } = await runCommand(['--app', app.name, '--broker', server.url, 'status'])
        assert.match(stderr, /task slow is not guarded alike by w1, w2: calls by its name/)
      } finally {
        await second.stop('warm')
        await (await app.connection()).store.define(app.guardDefinitions())
      }
    })

    it('[P11] an id is a new call once its end is forgotten: with a lock, without one, and when it has to wait', async () => {
      const connection = await app.connection()
      const { engine } = connection.servers
      const [held, free, parked] = ['again-held', 'again-free', 'again-parked'] as const
      const slow = (id: string, work = {}) =>
        flow.slow.applyAsync([{ n: 13, ...work }], { id, once: { overlap: 'defer' } })
      const plain = (x: string) => flow.plain.applyAsync([x], { id: free })
      for (const id of [held, parked]) await (await slow(id)).get({ timeout: '20s' })
      await (await plain('first')).get({ timeout: '20s' })
      const engineHas = async (messageId: string): Promise<boolean> =>
        !['absent', 'finished'].includes(await engine.state('default', messageId))
      for (const id of [held, free, parked]) {
        await until(async () => !(await engineHas(id)), { what: `the acknowledgement of ${id}` })
      }
      await connection.store.destroy()

      const first = await slow(held, { told: true })
      const turn = await slow(parked)
      assert.deepEqual([first.outcome, turn.outcome], ['published', 'parked'])
      finish(held)
      for (const call of [first, turn]) assert.equal(await call.get({ timeout: '20s' }), 13)
      assert.equal(await (await plain('second')).get({ timeout: '20s' }), 'second')
      assert.deepEqual([bodies(held).length, bodies(parked).length], [4, 4], 'a start and an end each time')
    })
  })
}
