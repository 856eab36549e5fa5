import assert from 'node:assert/strict'
import { KEY, messageText, type SceneTest, termsOf } from './scene.js'

/** The end of a message: its outcome is written and the next parked call popped in one step. */
export function releaseContract(test: SceneTest): void {
  test('a release by token writes the outcome and frees the key at once', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    const result = '{"z":1,"a":"\\u0000 ü 🦉"}'
    const ended = await scene.release('a', token, { result })
    assert.ok(ended.outcome === 'released')
    assert.equal(ended.promotion, null)
    const { at, ...record } = ended.record
    assert.ok(at <= ended.now)
    assert.deepEqual(record, {
      messageId: 'a',
      round: 1,
      outcome: 'ran',
      token,
      result,
      code: null,
      error: null,
      into: null,
    })
    assert.deepEqual((await scene.store.find('a', null)).outcome, ended.record)
    assert.equal((await scene.acquire('b')).outcome, 'granted')
  })

  test('[P19] a release pops the next parked call in the same step, its message unchanged', async (scene) => {
    await scene.acquire('a')
    await scene.park('b')
    const ended = await scene.release('a', await scene.running('a'))
    assert.ok(ended.outcome === 'released')
    assert.deepEqual(ended.promotion, { key: KEY, messageId: 'b', round: 1, message: messageText('b') })
    assert.equal((await scene.store.find('b', null)).hold?.stage, 'promoting')
  })

  test('[P18] a newcomer never overtakes a parked call', async (scene) => {
    await scene.acquire('a')
    await scene.park('b')
    await scene.release('a', await scene.running('a'))
    const newcomer = await scene.acquire('c')
    assert.ok(newcomer.outcome === 'refused')
    assert.equal(newcomer.holder.id, 'b')
    assert.equal(newcomer.holder.stage, 'promoting')
    await scene.confirm('b')
    assert.equal((await scene.store.find('b', null)).hold?.stage, 'queued')
    assert.equal((await scene.run('b')).outcome, 'granted')
  })

  test('[P21] a release whose reply was lost is answered the same, and offers the promotion again', async (scene) => {
    await scene.acquire('a')
    await scene.park('b')
    const token = await scene.running('a')
    const first = await scene.release('a', token)
    const again = await scene.release('a', token, { outcome: 'failed', result: null })
    assert.ok(first.outcome === 'released' && again.outcome === 'released')
    assert.deepEqual(again.record, first.record)
    assert.deepEqual(again.promotion, first.promotion)
    assert.deepEqual([first.again, again.again], [false, true])
    await scene.confirm('b')
    const third = await scene.release('a', token)
    assert.ok(third.outcome === 'released')
    assert.equal(third.promotion, null)
  })

  test('[P4] a stale token releases nothing', async (scene) => {
    await scene.acquire('a')
    const old = await scene.running('a', { owner: 'o1' })
    await scene.requeue('a', old)
    assert.equal((await scene.release('a', old)).outcome, 'stale', 'queued for its next attempt')
    const token = await scene.running('a', { owner: 'o2' })
    assert.equal((await scene.release('a', old)).outcome, 'stale')
    assert.equal((await scene.release('a', token + 1)).outcome, 'stale')
    assert.equal((await scene.release('a', null, { outcome: 'revoked' })).outcome, 'stale', 'a run ends by token only')
    assert.equal((await scene.store.find('a', null)).outcome, null)
    assert.equal((await scene.renew('a', token)).outcome, 'renewed')
  })

  test("[P4] a worker that lost its hold does not free the next holder's", async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    await scene.clear({ running: 'drop' })
    await scene.acquire('b')
    const next = await scene.running('b')
    assert.equal((await scene.release('a', token)).outcome, 'stale')
    assert.equal((await scene.renew('b', next)).outcome, 'renewed')
  })

  test('[P10] the first outcome stands: another end of the same message is told it', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    await scene.release('a', token)
    for (const other of [null, token - 1]) {
      const late = await scene.release('a', other, { outcome: 'revoked' })
      assert.ok(late.outcome === 'finished')
      assert.equal(late.record.outcome, 'ran')
    }
    assert.equal((await scene.store.find('a', null)).outcome?.outcome, 'ran')
  })

  test('a message that does not run yet is ended by its id, and the next has its turn', async (scene) => {
    for (const [id, next] of [
      ['a', 'b'],
      ['c', 'd'],
    ] as const) {
      await scene.acquire(id)
      if (id === 'c') await scene.confirm(id)
      await scene.park(next)
      const ended = await scene.release(id, null, { outcome: 'expired', code: 'EXPIRED', result: null })
      assert.ok(ended.outcome === 'released')
      assert.equal(ended.record.outcome, 'expired')
      assert.equal(ended.record.token, null)
      assert.equal(ended.promotion?.messageId, next)
      await scene.release(next, null, { outcome: 'revoked' })
    }
  })

  test('a parked call is ended by its id and does not run', async (scene) => {
    await scene.acquire('a')
    await scene.park('b')
    const ended = await scene.release('b', null, { outcome: 'revoked', code: 'REVOKED', result: null })
    assert.ok(ended.outcome === 'released')
    assert.equal(ended.promotion, null)
    const last = await scene.release('a', await scene.running('a'))
    assert.ok(last.outcome === 'released')
    assert.equal(last.promotion, null)
  })

  test('a message without a hold gets its outcome too', async (scene) => {
    const ended = await scene.release('a', null, { outcome: 'failed', code: 'UNKNOWN_TASK', result: null })
    assert.ok(ended.outcome === 'released')
    assert.equal((await scene.store.find('a', KEY)).outcome?.code, 'UNKNOWN_TASK')
    assert.equal((await scene.run('a')).outcome, 'finished')
  })

  test('[P10] a parked call that is worthless at its turn is recorded expired and the next is popped', async (scene) => {
    const whenHeld = { do: 'park', capacity: 2, keep: 'first' } as const
    await scene.acquire('a')
    const expiresAt = (await scene.store.now()) + 100
    await scene.acquire('b', { whenHeld, terms: termsOf({ expiresAt }) })
    await scene.acquire('c', { whenHeld })
    await scene.advanceTime(120)
    const ended = await scene.release('a', null, { outcome: 'revoked' })
    assert.ok(ended.outcome === 'released')
    assert.equal(ended.promotion?.messageId, 'c')
    const outcome = (await scene.store.find('b', null)).outcome
    assert.equal(outcome?.outcome, 'expired')
    assert.equal(outcome?.code, 'EXPIRED')
  })

  test('a run that was told to stop ends as cleared, whatever it returned', async (scene) => {
    await scene.acquire('a')
    await scene.park('b')
    const token = await scene.running('a')
    await scene.clear({ running: 'cancel' })
    const ended = await scene.release('a', token)
    assert.ok(ended.outcome === 'released')
    assert.equal(ended.record.outcome, 'cleared')
    assert.equal(ended.record.result, null)
    assert.equal(ended.promotion?.messageId, 'b')
  })

  test('a result of 1 MB comes back as it went', async (scene) => {
    await scene.acquire('a')
    const result = JSON.stringify('ü'.repeat(500_000))
    await scene.release('a', await scene.running('a'), { result })
    assert.equal((await scene.store.find('a', KEY)).outcome?.result, result)
  })
}
