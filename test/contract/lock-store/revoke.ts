import assert from 'node:assert/strict'
import { privateKey } from '../../../src/lock/key.js'
import { KEY, refTo, type SceneTest, TASK, termsOf } from './scene.js'

/** One call is taken back. */
export function revokeContract(test: SceneTest): void {
  for (const key of [KEY, null]) {
    const how = key === null ? 'by its id' : 'by key and id'
    test(`[P10] a parked call ${how} is recorded revoked and never has its turn`, async (scene) => {
      await scene.acquire('a')
      await scene.park('b')
      const answer = await scene.revoke('b', { key })
      assert.ok(answer.outcome === 'revoked')
      const { outcome, code, token, round } = answer.record
      assert.deepEqual([outcome, code, token, round, answer.promotion], ['revoked', 'REVOKED', null, 1, null])
      const ended = await scene.release('a', null)
      assert.ok(ended.outcome === 'released')
      assert.equal(ended.promotion, null)
    })

    test(`a queued call ${how} is recorded revoked, the next has its turn, its delivery runs nothing`, async (scene) => {
      await scene.acquire('a')
      await scene.confirm('a')
      await scene.park('b')
      const answer = await scene.revoke('a', { key })
      assert.ok(answer.outcome === 'revoked')
      assert.equal(answer.promotion?.messageId, 'b')
      assert.equal((await scene.run('a')).outcome, 'finished')
    })
  }

  test('[P9] a running call is left alone unless it is to be terminated', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    const answer = await scene.revoke('a')
    assert.ok(answer.outcome === 'running')
    assert.equal(answer.holder.token, token)
    assert.equal((await scene.renew('a', token)).outcome, 'renewed')
    const ended = await scene.release('a', token)
    assert.ok(ended.outcome === 'released')
    assert.equal(ended.record.outcome, 'ran')
  })

  test('[P2] a running call that is terminated keeps the key until it has ended, and ends as revoked', async (scene) => {
    await scene.acquire('a')
    await scene.park('b')
    const token = await scene.running('a')
    for (let n = 0; n < 2; n += 1) {
      const answer = await scene.revoke('a', { terminate: true, by: 'ada' })
      assert.ok(answer.outcome === 'cancelled')
      assert.equal(answer.holder.id, 'a')
    }
    const row = (await scene.store.show(KEY))?.rows[0]
    assert.deepEqual([row?.cancelledBy, row?.cancelledHow], ['ada', 'revoked'])
    assert.deepEqual(await scene.renew('a', token), { outcome: 'lost', reason: 'cancelled' })
    assert.equal((await scene.acquire('c')).outcome, 'refused')
    const ended = await scene.release('a', token)
    assert.ok(ended.outcome === 'released')
    assert.deepEqual([ended.record.outcome, ended.record.code, ended.record.result], ['revoked', 'REVOKED', null])
    assert.equal(ended.promotion?.messageId, 'b')
  })

  test('the first who told a run to stop is remembered', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    await scene.clear({ running: 'cancel', by: 'ada' })
    await scene.revoke('a', { terminate: true, by: 'bob' })
    const row = (await scene.store.show(KEY))?.rows[0]
    assert.deepEqual([row?.cancelledBy, row?.cancelledHow], ['ada', 'cleared'])
    const ended = await scene.release('a', token)
    assert.ok(ended.outcome === 'released')
    assert.equal(ended.record.outcome, 'cleared')
  })

  test('[P21] a call that is revoked again, or had ended, is told so; nothing changes', async (scene) => {
    await scene.acquire('a')
    await scene.park('b')
    const first = await scene.revoke('a')
    const again = await scene.revoke('a')
    assert.ok(first.outcome === 'revoked' && again.outcome === 'revoked')
    assert.deepEqual([again.record, again.promotion], [first.record, first.promotion])
    assert.deepEqual([first.again, again.again], [false, true])
    await scene.release('b', await scene.running('b'))
    const late = await scene.revoke('b', { terminate: true })
    assert.ok(late.outcome === 'finished')
    assert.equal(late.record.outcome, 'ran')
  })

  test('a call of which nothing is known is recorded revoked under its key, for the delivery that may come', async (scene) => {
    const key = privateKey(TASK, 'a')
    assert.equal((await scene.revoke('a', { key, round: 0 })).outcome, 'revoked')
    const step = { key, round: 0, terms: termsOf({ guarded: false }) }
    assert.equal((await scene.run('a', step)).outcome, 'finished')
  })

  test('by an id that nobody knows nothing is recorded', async (scene) => {
    assert.equal((await scene.revoke('a', { key: null })).outcome, 'unknown')
    assert.equal((await scene.store.find('a', null)).outcome, null)
  })

  test('a call without a lock that runs is found by its id', async (scene) => {
    const key = privateKey(TASK, 'a')
    await scene.running('a', { key, terms: termsOf({ guarded: false }) })
    assert.equal((await scene.revoke('a', { key: null })).outcome, 'running')
  })

  for (const key of [KEY, null]) {
    const how = key === null ? 'by its id' : 'by key and id'
    test(`[P10] an ended call whose next round is on its way has not ended; ${how} that round is revoked`, async (scene) => {
      await scene.release('a', await scene.running('a'), { outcome: 'failed', code: 'MAX_DELIVERIES' })
      assert.equal((await scene.store.find('a', key)).outcome?.code, 'MAX_DELIVERIES')
      await scene.store.reopen(refTo('a'))
      const view = await scene.store.find('a', key)
      assert.deepEqual([view.key, view.outcome, view.hold, view.parked], [KEY, null, null, false])
      assert.equal((await scene.run('a')).outcome, 'finished', 'a redelivery of the first round')
      const answer = await scene.revoke('a', { key })
      assert.ok(answer.outcome === 'revoked')
      assert.equal(answer.record.round, 2)
      const delivered = await scene.run('a', { round: 2 })
      assert.ok(delivered.outcome === 'finished')
      assert.equal(delivered.record.outcome, 'revoked')
      const again = await scene.revoke('a', { key })
      assert.ok(again.outcome === 'revoked')
      assert.deepEqual(again.record, answer.record)
    })
  }

  test('an earlier round that was reopened hides neither the end of the next nor its run, under whichever key', async (scene) => {
    const own = privateKey(TASK, 'a')
    const plain = { key: own, terms: termsOf({ guarded: false }) }
    await scene.release('a', await scene.running('a', plain), { key: own, outcome: 'failed', code: 'UNKNOWN_TASK' })
    await scene.store.reopen(refTo('a', own))
    const token = await scene.running('a', { round: 2 })
    assert.equal((await scene.store.find('a', null)).hold?.stage, 'running')
    assert.equal((await scene.revoke('a', { key: null })).outcome, 'running')
    await scene.release('a', token, { round: 2 })
    assert.equal((await scene.store.find('a', null)).outcome?.outcome, 'ran')
    assert.equal((await scene.revoke('a', { key: null })).outcome, 'finished')
  })
}
