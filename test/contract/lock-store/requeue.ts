import assert from 'node:assert/strict'
import { type SceneTest, termsOf } from './scene.js'

/** A running hold falls back to its own message. */
export function requeueContract(test: SceneTest): void {
  test('[P12] a retry keeps the key for its message and is not to be started early', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    const back = await scene.requeue('a', token, { reason: 'retry', delayMs: 300 })
    assert.ok(back.outcome === 'queued')
    assert.equal(back.notBefore, back.now + 300)
    assert.equal((await scene.acquire('b')).outcome, 'refused')
    assert.equal((await scene.run('a', { owner: 'o2' })).outcome, 'early')
    await scene.advanceTime(310)
    const again = await scene.run('a', { owner: 'o2' })
    assert.ok(again.outcome === 'granted')
    assert.ok(again.token > token)
    assert.equal(again.deliveries, 1, 'a retry starts the count of deliveries anew')
    assert.equal(again.retries, 1)
  })

  test('[P8] a dead run keeps its place for its redelivery, and its starts are counted', async (scene) => {
    await scene.acquire('a')
    await scene.park('b')
    const token = await scene.running('a')
    assert.equal((await scene.requeue('a', token)).outcome, 'queued')
    const hold = (await scene.store.find('a', null)).hold
    assert.deepEqual(hold, { stage: 'queued', retries: 0, worker: null })
    const again = await scene.run('a', { owner: 'o2' })
    assert.ok(again.outcome === 'granted')
    assert.equal(again.deliveries, 2)
    assert.equal(again.retries, 0)
  })

  test('a start that was none counts for nothing, however often it comes to that', async (scene) => {
    await scene.acquire('a')
    for (let start = 1; start <= 4; start++) {
      const token = await scene.running('a', { owner: `o${start}` })
      assert.equal((await scene.requeue('a', token, { reason: 'unstarted' })).outcome, 'queued')
    }
    const run = await scene.run('a', { owner: 'last' })
    assert.ok(run.outcome === 'granted')
    assert.equal(run.deliveries, 1)
    assert.equal(run.retries, 0)
  })

  test('[P21] a retry asked for again is counted once', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    const first = await scene.requeue('a', token, { reason: 'retry', delayMs: 5 })
    const again = await scene.requeue('a', token, { reason: 'retry', delayMs: 5 })
    assert.ok(first.outcome === 'queued' && again.outcome === 'queued')
    assert.equal(again.notBefore, first.notBefore)
    await scene.advanceTime(20)
    const run = await scene.run('a', { owner: 'o2' })
    assert.ok(run.outcome === 'granted')
    assert.equal(run.retries, 1)
  })

  test('[P4] a stale token requeues nothing', async (scene) => {
    await scene.acquire('a')
    const old = await scene.running('a', { owner: 'o1' })
    await scene.requeue('a', old)
    const token = await scene.running('a', { owner: 'o2' })
    assert.equal((await scene.requeue('a', old)).outcome, 'stale')
    assert.equal((await scene.requeue('a', old, { reason: 'retry' })).outcome, 'stale')
    assert.equal((await scene.requeue('nobody', token)).outcome, 'stale')
    assert.equal((await scene.renew('a', token)).outcome, 'renewed')
  })

  test('[P4] a requeue after the end is told so and changes nothing', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    await scene.release('a', token)
    const own = await scene.requeue('a', token)
    assert.ok(own.outcome === 'finished')
    assert.equal(own.record.outcome, 'ran')
    assert.equal((await scene.requeue('a', token - 1)).outcome, 'stale')
    assert.equal((await scene.acquire('b')).outcome, 'granted')
  })

  test('a message that died maxDeliveries times is given up and the next parked call has its turn', async (scene) => {
    await scene.acquire('a')
    await scene.park('b')
    const token = await scene.running('a')
    const ended = await scene.requeue('a', token, { maxDeliveries: 1 })
    assert.ok(ended.outcome === 'ended')
    assert.equal(ended.record.outcome, 'failed')
    assert.equal(ended.record.code, 'MAX_DELIVERIES')
    assert.equal(ended.record.token, token)
    assert.equal(ended.promotion?.messageId, 'b')
    const again = await scene.requeue('a', token, { maxDeliveries: 1 })
    assert.ok(again.outcome === 'finished')
    assert.equal(again.record.code, 'MAX_DELIVERIES')
  })

  test('retries are not bounded by maxDeliveries', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    const back = await scene.requeue('a', token, { reason: 'retry', maxDeliveries: 1 })
    assert.equal(back.outcome, 'queued')
    assert.equal((await scene.run('a', { owner: 'o2', maxDeliveries: 1 })).outcome, 'granted')
  })

  test('a run that was told to stop ends as cleared instead of coming back', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    await scene.clear({ running: 'cancel' })
    const ended = await scene.requeue('a', token, { reason: 'retry' })
    assert.ok(ended.outcome === 'ended')
    assert.equal(ended.record.outcome, 'cleared')
    assert.equal(ended.record.code, 'CLEARED')
  })

  test('a retry waits for its time + timeout, at most until it is worthless', async (scene) => {
    const terms = termsOf({ timeoutMs: 200 })
    await scene.acquire('a', { terms })
    const token = await scene.running('a', { terms })
    await scene.requeue('a', token, { reason: 'retry', delayMs: 200 })
    await scene.advanceTime(250)
    assert.equal((await scene.acquire('b')).outcome, 'refused')
    await scene.advanceTime(170)
    assert.equal((await scene.acquire('b')).outcome, 'granted')
  })
}
