import assert from 'node:assert/strict'
import { type App, ParkedFull, Rejected, type Result, Revoked } from '../../src/index.js'
import type { BodyLine } from '../support/flow-app.js'
import { type FlowApp, type FlowScene, PLACES, type Place, startScene } from '../support/flow-scene.js'
import { until } from '../support/until.js'

const WAIT = { timeout: '30s' } as const

for (const [name, startServer] of Object.entries(PLACES)) {
  describe(`policies, limits and modes from call to result, on ${name}`, function () {
    this.timeout(120_000)
    let server: Place
    let scene: FlowScene
    let app: App
    let flow: FlowApp

    before(async () => {
      server = await startServer()
      scene = await startScene({ place: server, app: `policy-${name}` })
      app = scene.app
      flow = scene.flow
    })

    after(async () => {
      await scene?.stop()
      await server?.stop()
    })

    afterEach(() => scene.idle())

    const bodies = (id: string): BodyLine[] => scene.bodies(id)
    const finish = (id: string): void => scene.finish(id)
    const started = (id: string): Promise<unknown> => scene.started(id)
    const startOf = (id: string): bigint => BigInt(bodies(id)[0]?.ns ?? 0)
    const endOf = (id: string): bigint => BigInt(bodies(id)[1]?.ns ?? 0)
    const revokedAs = (result: Result<unknown>, code: string): Promise<void> =>
      assert.rejects(result.get(WAIT), (error: Error) => error instanceof Revoked && error.code === code)

    it('[P18] queue: runs all in order, and refuses loudly when maxParked wait', async () => {
      const queue = { once: { overlap: 'queue', maxParked: 2 } } as const
      const first = await flow.tag.applyAsync([{ n: 1, tag: 'a', told: true }], queue)
      const second = await flow.tag.applyAsync([{ n: 1, tag: 'b' }], queue)
      const third = await flow.tag.applyAsync([{ n: 1, tag: 'c' }], queue)
      await assert.rejects(
        flow.tag.applyAsync([{ n: 1, tag: 'd' }], queue),
        (error: Error) => error instanceof ParkedFull && error.holder.id === first.id && error.maxParked === 2,
      )
      assert.deepEqual([first.outcome, second.outcome, third.outcome], ['published', 'parked', 'parked'])
      finish(first.id)
      assert.equal(await third.get(WAIT), 'c')
      assert.ok(endOf(first.id) < startOf(second.id) && endOf(second.id) < startOf(third.id))
    })

    it("[P18] defer with keep 'latest': the parked call runs with the arguments of the newest", async () => {
      const defer = { once: { overlap: 'defer', keep: 'latest' } } as const
      const first = await flow.tag.applyAsync([{ n: 2, tag: 'a', told: true }], defer)
      const second = await flow.tag.applyAsync([{ n: 2, tag: 'b' }], defer)
      const third = await flow.tag.applyAsync([{ n: 2, tag: 'c' }], defer)
      assert.deepEqual([first.outcome, second.outcome, third.outcome], ['published', 'parked', 'coalesced'])
      finish(first.id)
      assert.equal(await second.get(WAIT), 'c')
      assert.equal(await third.get(WAIT), 'c')
      assert.equal(bodies(third.id).length, 0)
    })

    it('[P2] replace: the running body is stopped before the newcomer’s begins', async () => {
      const replace = { once: { overlap: 'replace' } } as const
      const first = await flow.tag.delay({ n: 3, tag: 'a', ms: 30_000 })
      await started(first.id)
      const second = await flow.tag.applyAsync([{ n: 3, tag: 'b' }], replace)
      const third = await flow.tag.applyAsync([{ n: 3, tag: 'c' }], replace)
      assert.deepEqual([second.outcome, third.outcome], ['parked', 'parked'])
      await revokedAs(second, 'REPLACED')
      await revokedAs(first, 'REPLACED')
      assert.equal(await third.get(WAIT), 'c')
      assert.ok(endOf(first.id) < startOf(third.id))
      assert.equal(bodies(second.id).length, 0)
    })

    it('[P10] replace: a call that does not run yet is replaced at once, and told as an event', async () => {
      const told: string[] = []
      const stop = app.on('call:replaced', ({ id }) => told.push(id))
      const first = await flow.tag.applyAsync([{ n: 4, tag: 'a' }], { countdown: '1h' })
      const second = await flow.tag.applyAsync([{ n: 4, tag: 'b' }], { once: { overlap: 'replace' } })
      stop()
      assert.equal(second.outcome, 'published')
      assert.deepEqual(told, [first.id])
      await revokedAs(first, 'REPLACED')
      assert.equal(await second.get(WAIT), 'b')
      assert.equal(bodies(first.id).length, 0)
    })

    it('[P1] limit 2: two bodies at once, each in a slot of its own, and no third', async () => {
      const two = await Promise.all([1, 2].map(() => flow.pair.delay({ n: 5, told: true })))
      for (const each of two) await started(each.id)
      assert.equal((await flow.pair.delay({ n: 5 })).outcome, 'rejected')
      for (const each of two) finish(each.id)
      for (const each of two) await each.get(WAIT)
      const [a, b] = two.map((each) => each.id) as [string, string]
      assert.ok(startOf(a) < endOf(b) && startOf(b) < endOf(a), 'both ran at once')
    })

    it('untilExecuting: the next call is accepted as soon as the body runs', async () => {
      const first = await flow.untilExecuting.applyAsync([{ n: 6, told: true }], { countdown: '1500ms' })
      assert.equal((await flow.untilExecuting.delay({ n: 6 })).outcome, 'rejected')
      await started(first.id)
      const second = await flow.untilExecuting.delay({ n: 6, tag: 'b' })
      assert.equal(await second.get(WAIT), 'b')
      finish(first.id)
      await first.get(WAIT)
      assert.ok(startOf(second.id) < endOf(first.id))
    })

    it('whileExecuting: every call is accepted, and meets its policy when it is delivered', async () => {
      const first = await flow.whileExecuting.delay({ n: 7, told: true })
      await started(first.id)
      const second = await flow.whileExecuting.delay({ n: 7 })
      assert.equal(second.outcome, 'published')
      await assert.rejects(second.get(WAIT), Rejected)
      finish(first.id)
      await first.get(WAIT)
    })

    it('whileExecuting with replace: the delivery stops the run', async () => {
      const first = await flow.whileExecuting.delay({ n: 8, ms: 30_000 })
      await started(first.id)
      const second = await flow.whileExecuting.applyAsync([{ n: 8, tag: 'b' }], { once: { overlap: 'replace' } })
      await revokedAs(first, 'REPLACED')
      assert.equal(await second.get(WAIT), 'b')
      assert.ok(endOf(first.id) < startOf(second.id))
    })

    it('untilAndWhileExecuting: one runs, one waits for it, a third is refused', async () => {
      const first = await flow.untilAndWhileExecuting.delay({ n: 9, told: true })
      await started(first.id)
      const second = await flow.untilAndWhileExecuting.delay({ n: 9, tag: 'b' })
      assert.equal(second.outcome, 'published')
      assert.equal((await flow.untilAndWhileExecuting.delay({ n: 9 })).outcome, 'rejected')
      finish(first.id)
      assert.equal(await second.get(WAIT), 'b')
      assert.ok(endOf(first.id) < startOf(second.id))
    })

    it('untilExpired: after the run the key cools for the rest of its timeout', async () => {
      const first = await flow.untilExpired.delay({ n: 10, tag: 'a' })
      assert.equal(await first.get(WAIT), 'a')
      const refused = await flow.untilExpired.delay({ n: 10 })
      assert.equal(refused.outcome, 'rejected')
      assert.equal((await app.locks.list().next()).value?.stage, 'cooling')
      const next = await until(async () => {
        const result = await flow.untilExpired.delay({ n: 10, tag: 'b' })
        return result.outcome === 'published' ? result : undefined
      })
      assert.equal(await next.get(WAIT), 'b')
    })

    it('[P10] revoke: parked and delayed calls never run, with and without a lock', async () => {
      const first = await flow.tag.applyAsync([{ n: 11 }], { countdown: '2s' })
      const parked = await flow.tag.applyAsync([{ n: 11 }], { once: { overlap: 'defer' } })
      const plain = await flow.plain.applyAsync([1], { countdown: '2s' })
      assert.deepEqual(await app.revoke(parked.id), { outcome: 'revoked' })
      assert.deepEqual(await app.revoke(first.id), { outcome: 'revoked' })
      assert.deepEqual(await app.revoke(plain.id), { outcome: 'revoked' })
      assert.deepEqual(await app.revoke(plain), { outcome: 'revoked' }, 'asked again the answer is the same')
      for (const result of [parked, first, plain]) await revokedAs(result, 'REVOKED')
      const duplicates = new Set<string>()
      const stop = app.on('run:duplicate', ({ id }) => duplicates.add(id))
      await until(() => duplicates.has(first.id) && duplicates.has(plain.id), { what: 'their messages to be acked' })
      stop()
      assert.equal(bodies(first.id).length + bodies(parked.id).length, 0)
    })

    it('[P9] revoke: a running call is stopped only with terminate', async () => {
      const result = await flow.tag.delay({ n: 12, ms: 30_000 })
      await started(result.id)
      assert.equal((await app.revoke(result)).outcome, 'running')
      assert.equal((await app.revoke(result.id, { terminate: true })).outcome, 'cancelled')
      await revokedAs(result, 'REVOKED')
      assert.deepEqual(await app.revoke(result), { outcome: 'revoked' })
      assert.equal((await app.revoke('nobody')).outcome, 'unknown')
    })
  })
}
