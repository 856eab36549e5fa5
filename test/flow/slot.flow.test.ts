import assert from 'node:assert/strict'
import { termsOf } from '../../src/task-base/publish-guard.js'
import { PLACES, type Place, startScene } from '../support/flow-scene.js'
import { until } from '../support/until.js'

/** Longer than the test waits for anything. */
const HELD_MS = 60_000

for (const [name, startServer] of Object.entries(PLACES)) {
  describe(`the one slot of a worker, on ${name}`, function () {
    this.timeout(120_000)
    let place: Place
    before(async () => {
      place = await startServer()
    })
    after(() => place?.stop())

    it('[P19] is free for others while a delivery waits whose key is held elsewhere', async () => {
      const scene = await startScene({ place, app: `slot-${name}`, concurrency: 1 })
      const { app, flow } = scene
      try {
        const { store } = await app.connection()
        const message = await app.message(await app.targetOf('while.executing'), [{ n: 1 }], { id: 'elsewhere' })
        const { publishedAt, id: messageId } = message
        const ref = { key: message.lock.key, messageId, round: 0 }
        const by = { owner: 'elsewhere', worker: 'w9', barrier: 'none', slot: 0, maxDeliveries: 3 } as const
        const times = { publishLeaseMs: 1_000, resultMs: HELD_MS }
        const holding = { ...ref, ...by, ...times, terms: termsOf(message), publishedAt, minRunMs: 0, lockDelayMs: 0 }
        const answer = await store.advance({ ...holding, to: 'running', leaseMs: HELD_MS, whenHeld: 'wait' })
        assert.ok(answer.outcome === 'granted')

        const waits: { id: string; holder: string | undefined; delayMs: number }[] = []
        app.on('run:putBack', ({ id, holder, delayMs }) => waits.push({ id, holder: holder?.id, delayMs }))
        const waiting = await flow.whileExecuting.applyAsync([{ n: 1 }], { once: { overlap: 'defer' } })
        await until(async () => waits.length > 0 || scene.worker.running() > 0, { what: 'its delivery' })
        assert.equal(await (await flow.slow.delay({ n: 2 })).get({ timeout: '20s' }), 2)
        assert.deepEqual(
          waits.map(({ id, holder }) => [id, holder]),
          [[waiting.id, 'elsewhere']],
        )
        // Far from over: the other one did not run because this wait had ended.
        assert.ok((waits[0]?.delayMs ?? 0) >= 20_000)
        assert.equal(scene.bodies(waiting.id).length, 0)
        assert.equal(await waiting.state(), 'PENDING')
        const end = { outcome: 'ran', code: null, result: null, error: null } as const
        await store.release({ ...ref, ...times, ...end, token: answer.token })
      } finally {
        await scene.stop()
      }
    })
  })
}
