import assert from 'node:assert/strict'
import { LEASE_MS, LOCK_DELAY_MS, type SceneTest, termsOf } from './scene.js'

/** The execution guard's verb: a delivered message asks to run. */
export function runContract(test: SceneTest): void {
  test('a queued message runs under a token and a lease', async (scene) => {
    await scene.acquire('a')
    await scene.confirm('a')
    const answer = await scene.run('a')
    assert.ok(answer.outcome === 'granted')
    assert.ok(Number.isSafeInteger(answer.token) && answer.token > 0)
    assert.equal(answer.deliveries, 1)
    assert.equal(answer.retries, 0)
    assert.equal(answer.expiresAt, answer.now + LEASE_MS)
  })

  test('a delivery may come before its confirmation, and the late confirmation changes nothing', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    await scene.confirm('a')
    assert.deepEqual((await scene.store.find('a', null)).hold?.stage, 'running')
    assert.equal((await scene.renew('a', token)).outcome, 'renewed')
    await scene.release('a', token)
    await scene.confirm('a')
    assert.equal((await scene.store.find('a', null)).hold, null)
    assert.equal((await scene.acquire('b')).outcome, 'granted')
  })

  test('[P21] the same attempt that asks again gets the same token and counts once', async (scene) => {
    await scene.acquire('a')
    const first = await scene.run('a', { owner: 'o1' })
    const again = await scene.run('a', { owner: 'o1' })
    assert.ok(first.outcome === 'granted' && again.outcome === 'granted')
    assert.equal(again.token, first.token)
    assert.equal(again.deliveries, 1)
    assert.equal(again.expiresAt, first.expiresAt)
  })

  test('[P6] an attempt that asks again after its lease is not granted the ended one', async (scene) => {
    await scene.acquire('a')
    await scene.running('a', { owner: 'o1' })
    await scene.advanceTime(LEASE_MS + 20)
    assert.equal((await scene.run('a', { owner: 'o1' })).outcome, 'refused')
  })

  test('[P13] a redelivery is refused while the first lease and its lock delay live, then gets a higher token', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a', { owner: 'o1' })
    const early = await scene.run('a', { owner: 'o2' })
    assert.ok(early.outcome === 'refused')
    assert.equal(early.holder.id, 'a')
    assert.equal(early.holder.token, token)
    assert.ok(early.remainingMs > LEASE_MS && early.remainingMs <= LEASE_MS + LOCK_DELAY_MS)
    await scene.advanceTime(LEASE_MS + 20)
    assert.equal((await scene.run('a', { owner: 'o2' })).outcome, 'refused')
    await scene.advanceTime(LOCK_DELAY_MS)
    const later = await scene.run('a', { owner: 'o2' })
    assert.ok(later.outcome === 'granted')
    assert.ok(later.token > token)
    assert.equal(later.deliveries, 2)
  })

  test('[P1] a running hold past its lease keeps others out until its message is settled', async (scene) => {
    await scene.acquire('a')
    await scene.running('a')
    await scene.advanceTime(LEASE_MS + LOCK_DELAY_MS + 20)
    const refused = await scene.acquire('b')
    assert.ok(refused.outcome === 'refused')
    assert.equal(refused.doubt?.stage, 'running')
  })

  test('[P15] a delivery before its time is early and keeps its hold', async (scene) => {
    const notBefore = (await scene.store.now()) + 300
    const terms = termsOf({ notBefore })
    await scene.acquire('a', { terms })
    await scene.confirm('a')
    const early = await scene.run('a', { terms })
    assert.ok(early.outcome === 'early')
    assert.ok(early.remainingMs > 0 && early.remainingMs <= 300)
    assert.equal((await scene.acquire('b')).outcome, 'refused')
    await scene.advanceTime(early.remainingMs + 5)
    assert.equal((await scene.run('a', { terms })).outcome, 'granted')
  })

  test('[P13] a finished message is answered finished and does not run again', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    await scene.release('a', token)
    const again = await scene.run('a', { owner: 'o2' })
    assert.ok(again.outcome === 'finished')
    assert.equal(again.record.outcome, 'ran')
    assert.equal(again.record.token, token)
  })

  test('[P11] a message without a hold runs when the key is free', async (scene) => {
    const answer = await scene.run('a')
    assert.ok(answer.outcome === 'granted')
    assert.equal((await scene.acquire('b')).outcome, 'refused')
  })

  test('[P11] a message without a hold is coalesced into a holder that has not started', async (scene) => {
    await scene.acquire('b')
    await scene.confirm('b')
    const answer = await scene.run('a')
    assert.ok(answer.outcome === 'ended')
    assert.equal(answer.record.outcome, 'coalesced')
    assert.equal(answer.record.into, 'b')
    assert.equal((await scene.run('a')).outcome, 'finished')
  })

  test('[P11] a message without a hold is not coalesced into a call that may never be published', async (scene) => {
    await scene.acquire('b')
    assert.equal((await scene.run('a')).outcome, 'refused')
  })

  test('[P11] a message without a hold is coalesced into a run only if that started after its publish', async (scene) => {
    await scene.acquire('b')
    const before = await scene.store.now()
    await scene.advanceTime(20)
    await scene.running('b')
    await scene.advanceTime(20)
    const after = await scene.store.now()
    assert.equal((await scene.run('late', { publishedAt: after })).outcome, 'refused')
    const covered = await scene.run('soon', { publishedAt: before })
    assert.ok(covered.outcome === 'ended')
    assert.equal(covered.record.outcome, 'coalesced')
    assert.equal((await scene.store.find('late', null)).outcome, null)
  })

  test('a message without a hold is skipped or waits where its policy says so', async (scene) => {
    await scene.acquire('b')
    await scene.confirm('b')
    const skipped = await scene.run('a', { whenHeld: 'skip' })
    assert.ok(skipped.outcome === 'ended')
    assert.equal(skipped.record.outcome, 'skipped')
    assert.equal(skipped.record.into, 'b')
    const waits = await scene.run('c', { whenHeld: 'wait' })
    assert.ok(waits.outcome === 'refused')
    assert.equal(waits.holder.id, 'b')
  })

  test('[P10] a message that is parked under its own id is not ended by its delivery, and takes its turn', async (scene) => {
    await scene.acquire('b')
    await scene.confirm('b')
    await scene.park('a')
    for (const whenHeld of ['coalesce', 'skip'] as const) {
      assert.equal((await scene.run('a', { whenHeld })).outcome, 'refused')
    }
    const ended = await scene.release('b', null, { outcome: 'revoked' })
    assert.ok(ended.outcome === 'released')
    assert.equal(ended.promotion?.messageId, 'a')
    assert.equal((await scene.run('a')).outcome, 'granted')
  })

  test('[P10] a delivery whose own parked call has its turn in the same step runs', async (scene) => {
    await scene.acquire('b', { terms: termsOf({ timeoutMs: 100 }) })
    await scene.confirm('b')
    await scene.park('a')
    await scene.advanceTime(120)
    assert.equal((await scene.run('a')).outcome, 'granted')
  })

  test('a message is given up after maxDeliveries starts, and the next parked call has its turn', async (scene) => {
    await scene.acquire('a')
    await scene.park('b')
    for (const owner of ['o1', 'o2']) {
      const token = await scene.running('a', { owner, maxDeliveries: 2 })
      await scene.requeue('a', token, { maxDeliveries: 9 })
    }
    const third = await scene.run('a', { owner: 'o3', maxDeliveries: 2 })
    assert.ok(third.outcome === 'ended')
    assert.equal(third.record.outcome, 'failed')
    assert.equal(third.record.code, 'MAX_DELIVERIES')
    assert.equal(third.promotion?.messageId, 'b')
  })

  test('[P3] tokens strictly increase over runs, redeliveries and messages', async (scene) => {
    let last = 0
    for (let n = 0; n < 10; n += 1) {
      await scene.acquire(`m${n}`)
      const first = await scene.running(`m${n}`, { owner: 'o1' })
      await scene.requeue(`m${n}`, first)
      const second = await scene.running(`m${n}`, { owner: 'o2' })
      assert.ok(first > last && second > first)
      last = second
      await scene.release(`m${n}`, second)
    }
  })
}
