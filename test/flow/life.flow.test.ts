import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import {
  App,
  type Result,
  type Revocation,
  type Revoked,
  SoftTimeLimitExceeded,
  type TaskFailed,
  TimeLimitExceeded,
} from '../../src/index.js'
import { runCommand } from '../cli/command.js'
import { type FlowScene, PLACES, type Place, startScene } from '../support/flow-scene.js'
import { until } from '../support/until.js'

type LifeApp = typeof import('./fixture/life-app.js')

const MODULE = fileURLToPath(new URL('./fixture/life-app.js', import.meta.url))
const WAIT = { timeout: '30s' } as const

for (const [name, startPlace] of Object.entries(PLACES)) {
  describe(`the life of a message, on ${name}`, function () {
    this.timeout(120_000)
    let place: Place
    let scene: FlowScene<LifeApp>
    let life: LifeApp
    let app: App
    /** What a second process does: the memory store has none. */
    const onServers: (title: string, body: () => Promise<void>) => void = name === 'memory' ? () => {} : it

    before(async () => {
      place = await startPlace()
      scene = await startScene<LifeApp>({ place, app: `life-${name}`, module: MODULE })
      life = scene.flow
      app = scene.app
    })
    after(async () => {
      await scene?.stop()
      await place?.stop()
    })
    afterEach(() => scene.idle())

    const starts = (result: Result<unknown>): number => scene.bodies(result.id).length
    const failure = async (result: Result<unknown>): Promise<TaskFailed> => {
      try {
        assert.fail(`it ended with ${JSON.stringify(await result.get(WAIT))}`)
      } catch (error) {
        return error as TaskFailed
      }
    }

    it('[P12] a task that is tried again by rule keeps its key meanwhile, and ends with the value of its last run', async () => {
      const retried = new Promise((resolve) => app.on('run:retried', resolve))
      const call = await life.flaky.delay({ n: 1, failures: 2, told: true })
      await retried
      const second = await life.flaky.delay({ n: 1, failures: 0 })
      assert.deepEqual([second.outcome, second.holder?.id], ['rejected', call.id])
      scene.finish(call.id)
      assert.equal(await call.get(WAIT), 3)
      assert.equal(starts(call), 3)
    })

    it('[P10] out of retries it has failed, with its last error and all that caused it', async () => {
      const call = await life.flaky.delay({ n: 2, failures: 9 })
      const { code, cause } = await failure(call)
      const error = cause as Error
      assert.deepEqual([code, error.name, error.message], ['MAX_RETRIES', 'Unreachable', 'attempt 3'])
      const all = error.cause as AggregateError
      assert.ok(all instanceof AggregateError && all.errors[0] instanceof RangeError, 'classes of JavaScript’s own')
      assert.deepEqual(
        all.errors.map(({ message }) => message),
        ['first host', 'second host'],
      )
      const none = await life.flaky.applyAsync([{ n: 2, failures: 9 }], { retries: 0 })
      assert.deepEqual([(await failure(none)).code, starts(none)], ['MAX_RETRIES', 1])
    })

    it('a soft limit leaves time to clean up, and is told apart from a failure where it is let pass', async () => {
      const heeded = await life.limited.applyAsync([{ n: 3, way: 'heed' }], { softTimeLimit: '100ms' })
      assert.equal(await heeded.get(WAIT), 'cleaned up after SoftTimeLimitExceeded')
      const passed = await failure(await life.limited.applyAsync([{ n: 4, way: 'pass' }], { softTimeLimit: '100ms' }))
      assert.ok(passed instanceof TimeLimitExceeded)
      assert.deepEqual([passed.code, (passed.cause as Error).name], ['SOFT_TIME_LIMIT', 'AbortError'])
      assert.ok((passed.cause as Error).cause instanceof SoftTimeLimitExceeded)
    })

    it('[P8] a call’s own hard limit ends a body that spins, once: its key is free for the next', async () => {
      const call = await life.limited.applyAsync([{ n: 5, way: 'spin' }], { timeLimit: '2s' })
      const error = await failure(call)
      assert.ok(error instanceof TimeLimitExceeded)
      assert.deepEqual([error.code, starts(call)], ['TIME_LIMIT', 1])
      assert.match(error.message, /killed at its time limit of 2 s/)
      const next = await life.limited.applyAsync([{ n: 5, way: 'heed' }], { softTimeLimit: '10ms' })
      await next.get(WAIT)
      const { limited } = app.counters()
      assert.deepEqual([limited?.['timeLimit'], limited?.['softTimeLimit'], limited?.['failed']], [1, 1, 2])
    })

    it('[P10] a message that is acknowledged early starts once; its death is told, and it is kept', async () => {
      const call = await life.dies.delay({ n: 6 })
      assert.equal((await failure(call)).code, 'MAX_DELIVERIES')
      assert.equal((await life.dies.delay({ n: 6 })).outcome, 'published', 'its key was free at once')
      assert.equal(starts(call), 1)
      await until(async () => (await app.deadLetters.list()).length === 2, { what: 'both to be buried' })
    })

    it('[P10] revoke ends a call that waits for its retry, one that spins, and by id alone one without a lock', async () => {
      const retrying = await life.patient.delay()
      await until(async () => (await retrying.state()) === 'RETRY', { what: 'a retry' })
      assert.deepEqual(await app.revoke(retrying.id), { outcome: 'revoked' })
      const spins = await life.limited.delay({ n: 8, way: 'spin' })
      await scene.started(spins.id)
      assert.equal((await app.revoke(spins.id, { terminate: true })).outcome, 'cancelled')
      const waits = await life.plain.applyAsync([], { countdown: '1h' })
      assert.deepEqual(await app.revoke(waits.id), { outcome: 'revoked' })
      for (const call of [retrying, spins, waits]) {
        await assert.rejects(call.get(WAIT), (error: Revoked) => error.code === 'REVOKED')
      }
      assert.deepEqual([starts(retrying), starts(spins), starts(waits)], [1, 1, 0])
    })

    onServers('[P10] another process revokes by id: with the code of its own, and by command', async () => {
      const stranger = new App(app.name, { broker: place.url })
      try {
        const spins = await life.limited.delay({ n: 9, way: 'spin' })
        const waits = await life.plain.applyAsync([], { countdown: '1h' })
        const parked = await life.limited.applyAsync([{ n: 9, way: 'spin' }], { once: { overlap: 'defer' } })
        await scene.started(spins.id)
        assert.deepEqual(await stranger.revoke(parked.id), { outcome: 'revoked' } satisfies Revocation)
        assert.deepEqual(await stranger.revoke(waits.id), { outcome: 'revoked' } satisfies Revocation)
        const where = ['--app', app.name, '--broker', place.url]
        const { code, stdout } = await runCommand([...where, 'revoke', spins.id, '--terminate'])
        assert.deepEqual([code, stdout.startsWith(`stopping ${spins.id} on w1`)], [0, true])
        for (const call of [spins, waits, parked]) {
          await assert.rejects(call.get(WAIT), (error: Revoked) => error.code === 'REVOKED')
        }
      } finally {
        await stranger.close()
      }
    })

    it('[P10] what nobody can keep of a run fails it by name, whatever its size, and its process goes on', async () => {
      for (const kind of ['bigint', 'circle', 'huge'] as const) {
        const call = await life.waste.delay(kind)
        const { code, cause } = await failure(call)
        assert.deepEqual([code, (cause as Error).name, starts(call)], ['BAD_RESULT', 'BeatlockError', 1])
      }
      const { code, cause } = await failure(await life.waste.delay('huge error'))
      assert.equal(code, 'TASK_ERROR')
      assert.ok((cause as Error).message.length < 10_000)
      assert.equal(await (await life.silent.delay('x')).get(WAIT), undefined)
      assert.equal(await (await life.silent.applyAsync(['x'], { ignoreResult: false })).get(WAIT), 'x')
    })

    it('a call goes to the queue of its route, with its priority', async () => {
      const { engine } = (await app.connection()).servers
      const routed = await life.routed.delay()
      const message = await engine.peek('nobody', routed.id)
      assert.deepEqual([message?.queue, message?.priority], ['nobody', 7])
      await app.revoke(routed)
      const asked = await life.routed.applyAsync([], { queue: 'default' })
      await asked.get(WAIT)
    })
  })
}
