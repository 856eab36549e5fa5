import assert from 'node:assert/strict'
import type { App, Result } from '../../src/index.js'
import type { CallOptions } from '../../src/task-base/call.js'
import { termsOf } from '../../src/task-base/publish-guard.js'
import { settleDoubt } from '../../src/task-base/sweeper.js'
import { type FlowApp, type FlowScene, PLACES, type Place, startScene } from '../support/flow-scene.js'
import { until } from '../support/until.js'

const WAIT = { timeout: '30s' } as const
const LATER = { countdown: '1h' } as const
const DEFER = { once: { overlap: 'defer' } } as const

/** How a call ended: its state, the code that `get()` throws (null: it gives a value), what the record keeps. */
type End = readonly [state: string, code: string | null, recorded: string | null]

for (const [name, startServer] of Object.entries(PLACES)) {
  describe(`what becomes of a call, on ${name}`, function () {
    this.timeout(120_000)
    let place: Place
    let scene: FlowScene
    let app: App
    let flow: FlowApp
    before(async () => {
      place = await startServer()
      scene = await startScene({ place, app: `outcome-${name}` })
      app = scene.app
      flow = scene.flow
    })
    after(async () => {
      await scene?.stop()
      await place?.stop()
    })

    const slow = (n: number, options: CallOptions = {}, ms = 0) =>
      flow.slow.applyAsync([{ n, ms }], options as typeof DEFER)
    const store = async () => (await app.connection()).store
    const engine = async () => (await app.connection()).servers.engine
    const messageOf = async (id: string, n: number, work = {}) =>
      app.message(await app.targetOf('slow'), [{ n, ...work }], { id })
    const endOf = async (call: Result<unknown>): Promise<End> => {
      const code = await call.get(WAIT).then(
        () => null,
        (error: { code: string }) => error.code,
      )
      const { outcome } = await (await store()).find(call.id, null)
      return [await call.state(), code, outcome?.outcome ?? null]
    }
    /** Its publisher has told the record that the engine has it. */
    const confirmed = async ({ id, key }: Result<unknown>) => {
      const records = await store()
      await until(async () => (await records.find(id, key as never)).hold?.stage === 'queued', {
        what: 'its confirmation',
      })
    }
    /** Its message ended, and the engine has let go of it. */
    const acknowledged = (id: string) =>
      until(async () => ['absent', 'finished'].includes(await (await engine()).state('default', id)), {
        what: `the acknowledgement of ${id}`,
      })
    /** The engine carries a message that ended once more, as after a retry by hand. */
    const redeliver = async (id: string, n: number, work = {}) =>
      (await engine()).publish(await messageOf(id, n, work), { delayMs: 0, head: false })

    it('[P10] has one word, which the record, the caller and the counters agree on', async () => {
      const ends: Record<string, Promise<End>> = {}
      const ran = await slow(1)
      ends['ran'] = endOf(ran)
      ends['failed'] = endOf(await flow.fail.delay({ n: 2 }))
      ends['retried'] = endOf(await flow.retryTwice.delay({ n: 3 }))
      ends['expired'] = endOf(await slow(4, { countdown: '400ms', expires: '100ms' }))

      const holder = await slow(5, LATER)
      const deferred = await slow(5, DEFER)
      const coalesced = await slow(5, DEFER)
      const queued = await slow(5, { once: { overlap: 'queue' } })
      const refused = await slow(5)
      const told = [holder, deferred, coalesced, queued, refused].map(({ outcome }) => outcome)
      assert.deepEqual(told, ['published', 'parked', 'coalesced', 'parked', 'rejected'])
      for (const parked of [deferred, queued]) {
        assert.ok((await (await store()).find(parked.id, null)).parked, 'recorded as parked')
        assert.equal(await parked.state(), 'PENDING')
      }
      ends['refused'] = endOf(refused)
      await app.revoke(holder)
      Object.assign(ends, { revoked: endOf(holder), deferred: endOf(deferred) })
      Object.assign(ends, { coalesced: endOf(coalesced), queued: endOf(queued) })

      const replaced = await slow(6, LATER)
      ends['replacing'] = endOf(await slow(6, { once: { overlap: 'replace' } }))
      ends['replaced'] = endOf(replaced)
      const cleared = await slow(7, {}, 30_000)
      await scene.started(cleared.id)
      await app.locks.clear(cleared.key ?? '', { force: true })
      ends['cleared'] = endOf(cleared)
      const running = await flow.whileExecuting.delay({ n: 8, told: true })
      await scene.started(running.id)
      const skipped = await flow.whileExecuting.delay({ n: 8 })
      ends['skipped'] = endOf(skipped)
      void ends['skipped'].finally(() => scene.finish(running.id))
      Object.assign(ends, { purged: endOf(await purged(9)), lock_lost: endOf(await cutOff(10)) })

      await ran.get(WAIT)
      await acknowledged(ran.id)
      await redeliver(ran.id, 1)
      await until(() => app.counters()['slow']?.['duplicate'], { what: 'the duplicate' })
      ends['duplicate'] = endOf(ran)

      const seen = Object.fromEntries(
        await Promise.all(Object.entries(ends).map(async ([word, end]) => [word, await end] as const)),
      )
      assert.deepEqual(seen, {
        ran: ['SUCCESS', null, 'ran'],
        failed: ['FAILURE', 'TASK_ERROR', 'failed'],
        retried: ['SUCCESS', null, 'ran'],
        expired: ['REVOKED', 'EXPIRED', 'expired'],
        refused: ['REJECTED', 'REJECTED', null],
        revoked: ['REVOKED', 'REVOKED', 'revoked'],
        deferred: ['SUCCESS', null, 'ran'],
        coalesced: ['SUCCESS', null, 'coalesced'],
        queued: ['SUCCESS', null, 'ran'],
        replacing: ['SUCCESS', null, 'ran'],
        replaced: ['REVOKED', 'REPLACED', 'replaced'],
        cleared: ['REVOKED', 'CLEARED', 'cleared'],
        skipped: ['REJECTED', 'REJECTED', 'skipped'],
        purged: ['REVOKED', 'PURGED', 'purged'],
        lock_lost: ['FAILURE', 'LOCK_LOST', 'lock_lost'],
        duplicate: ['SUCCESS', null, 'ran'],
      } satisfies Record<string, End>)
      await running.get(WAIT)
      const onceEach = ['coalesced', 'refused', 'revoked', 'expired', 'replaced', 'cleared', 'purged', 'lock_lost']
      await until(() => sum('ran') === 6, { what: 'the last run to be counted' })
      for (const word of [...onceEach, 'duplicate', 'failed', 'skipped']) assert.equal(sum(word), 1, word)
      assert.deepEqual([sum('retried'), sum('parked')], [2, 2])
    })

    it('[P13] delivered again long after its end it runs nothing; once that is forgotten it takes its key first', async () => {
      const duplicates = sum('duplicate')
      const first = await slow(20, { id: 'late' })
      assert.equal(await first.get(WAIT), 20)
      await acknowledged('late')
      await redeliver('late', 20)
      await until(() => sum('duplicate') > duplicates, { what: 'the duplicate' })
      await acknowledged('late')
      assert.equal(scene.bodies('late').length, 2, 'a start and an end')
      assert.equal(await first.get(WAIT), 20)
      await (await store()).destroy()
      await redeliver('late', 20, { told: true })
      await until(() => scene.bodies('late').length === 3, { what: 'its second body' })
      const refused = await slow(20)
      assert.deepEqual([refused.outcome, refused.holder?.id], ['rejected', 'late'])
      scene.finish('late')
      assert.equal(await first.get(WAIT), 20)
      const [before, , again] = scene.bodies('late')
      assert.ok((again?.token ?? 0) > (before?.token ?? 0), '[P3]')
      assert.equal(sum('duplicate'), duplicates + 1)
    })

    const sum = (word: string): number =>
      Object.values(app.counters()).reduce((total, counts) => total + (counts[word] ?? 0), 0)

    /** Its message is deleted from its queue by hand; the two looks that must find that come at once. */
    async function purged(n: number): Promise<Result<unknown>> {
      const call = await slow(n, { queue: 'nobody' })
      const { sweep } = await app.connection()
      const key = call.key as never
      await confirmed(call)
      await sweep.engine.destroy(['nobody'])
      const resolve: typeof sweep.store.resolve = (request) => sweep.store.resolve({ ...request, missingMs: 0 })
      const ports = { ...sweep, store: { resolve } as typeof sweep.store }
      const doubt = { key, messageId: call.id, round: 0, stage: 'queued', token: null, queue: 'nobody' } as const
      await until(async () => (await settleDoubt(ports, doubt)).outcome === 'freed', { what: 'the second look' })
      return call
    }

    /** A run elsewhere whose lease is over, and whose message the engine does not have. */
    async function cutOff(n: number): Promise<Result<unknown>> {
      const message = await messageOf('cut-off', n)
      const { key } = message.lock
      const times = { leaseMs: 1, lockDelayMs: 0, minRunMs: 0, publishLeaseMs: 1_000, resultMs: 60_000 }
      const by = { owner: 'elsewhere', worker: 'w9', barrier: 'none', slot: 0, maxDeliveries: 3 } as const
      const { publishedAt } = message
      const ref = { key, messageId: message.id, round: 0, terms: termsOf(message), publishedAt }
      const granted = await (await store()).advance({ ...ref, ...by, ...times, to: 'running', whenHeld: 'wait' })
      assert.equal(granted.outcome, 'granted')
      return app.result(message.id)
    }
  })
}
