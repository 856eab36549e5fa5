import assert from 'node:assert/strict'
import { KEY, LEASE_MS, LOCK_DELAY_MS, type SceneTest, termsOf } from './scene.js'

/** An operator frees a key. */
export function clearContract(test: SceneTest): void {
  test('a call that does not run yet is freed and the next parked call has its turn', async (scene) => {
    await scene.acquire('a')
    await scene.confirm('a')
    await scene.park('b')
    const answer = await scene.clear()
    assert.deepEqual(
      answer.freed.map((holder) => [holder.id, holder.stage]),
      [['a', 'queued']],
    )
    assert.deepEqual([answer.cancelled, answer.kept, answer.discarded], [[], [], []])
    assert.equal(answer.promotion?.messageId, 'b')
  })

  test('[P11] a cleared message that is with the engine passes the guard again', async (scene) => {
    await scene.acquire('a')
    await scene.confirm('a')
    await scene.clear()
    assert.equal((await scene.store.find('a', null)).outcome, null)
    assert.equal((await scene.run('a')).outcome, 'granted')
  })

  test('[P9] a living run is left alone', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    const answer = await scene.clear()
    assert.deepEqual(
      answer.kept.map((holder) => holder.id),
      ['a'],
    )
    assert.deepEqual([answer.freed, answer.cancelled, answer.promotion], [[], [], null])
    assert.equal((await scene.renew('a', token)).outcome, 'renewed')
  })

  test('a living run that is to be stopped keeps the key until it reports its end', async (scene) => {
    await scene.acquire('a')
    await scene.park('b')
    const token = await scene.running('a')
    const answer = await scene.clear({ running: 'cancel', by: 'ada' })
    assert.deepEqual(
      answer.cancelled.map((holder) => holder.id),
      ['a'],
    )
    assert.equal(answer.promotion, null)
    assert.equal((await scene.store.show(KEY))?.rows[0]?.cancelledBy, 'ada')
    const ended = await scene.release('a', token)
    assert.ok(ended.outcome === 'released')
    assert.equal(ended.promotion?.messageId, 'b')
  })

  test('a living run whose hold is dropped unseen frees the key at once', async (scene) => {
    await scene.acquire('a')
    await scene.park('b')
    const token = await scene.running('a')
    const answer = await scene.clear({ running: 'drop' })
    assert.deepEqual(
      answer.freed.map((holder) => [holder.id, holder.token]),
      [['a', token]],
    )
    assert.equal(answer.promotion?.messageId, 'b')
    assert.equal((await scene.renew('a', token)).outcome, 'lost')
    assert.equal((await scene.release('a', token)).outcome, 'stale')
  })

  test('a run whose lease and lock delay are over is freed without force', async (scene) => {
    await scene.acquire('a')
    await scene.running('a')
    await scene.advanceTime(LEASE_MS + 20)
    assert.equal((await scene.clear()).kept.length, 1, 'the lock delay still runs')
    await scene.advanceTime(LOCK_DELAY_MS)
    assert.equal((await scene.clear()).freed.length, 1)
  })

  test('[P10] a run that was told to stop is recorded so when it is freed, and does not come again', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    await scene.clear({ running: 'cancel', by: 'ada' })
    await scene.advanceTime(LEASE_MS + LOCK_DELAY_MS + 20)
    assert.deepEqual(
      (await scene.clear()).freed.map((holder) => holder.id),
      ['a'],
    )
    const ended = (await scene.store.find('a', KEY)).outcome
    assert.deepEqual([ended?.outcome, ended?.code, ended?.token], ['cleared', 'CLEARED', token])
    assert.deepEqual((await scene.store.show(KEY))?.history, [])
    assert.equal((await scene.run('a')).outcome, 'finished')
  })

  test('[P10] a revoked run whose hold is dropped unseen stays revoked', async (scene) => {
    await scene.acquire('a')
    await scene.running('a')
    await scene.revoke('a', { terminate: true })
    await scene.clear({ running: 'drop' })
    assert.equal((await scene.store.find('a', KEY)).outcome?.outcome, 'revoked')
    assert.equal((await scene.run('a')).outcome, 'finished')
  })

  test('[P10] discarded parked calls are each recorded revoked', async (scene) => {
    const whenHeld = { do: 'park', capacity: 5, keep: 'first' } as const
    await scene.acquire('a')
    await scene.acquire('b', { whenHeld })
    await scene.acquire('c', { whenHeld })
    const answer = await scene.clear({ parked: true })
    assert.deepEqual(answer.discarded, ['b', 'c'])
    assert.equal(answer.promotion, null)
    for (const id of answer.discarded) {
      const outcome = (await scene.store.find(id, KEY)).outcome
      assert.deepEqual([outcome?.outcome, outcome?.code], ['revoked', 'REVOKED'])
    }
    assert.equal((await scene.acquire('d')).outcome, 'granted')
  })

  test('[P10] a promoted call that was not published yet is recorded cleared', async (scene) => {
    await scene.acquire('a')
    await scene.park('b')
    await scene.release('a', await scene.running('a'))
    assert.deepEqual(
      (await scene.clear()).freed.map((holder) => [holder.id, holder.stage]),
      [['b', 'promoting']],
    )
    assert.equal((await scene.store.find('b', null)).outcome?.outcome, 'cleared')
    assert.equal((await scene.run('b')).outcome, 'finished')
  })

  test('a parked call behind a holder that just ran out of time is promoted, not cleared', async (scene) => {
    await scene.acquire('a', { terms: termsOf({ timeoutMs: 100 }) })
    await scene.confirm('a')
    await scene.park('b')
    await scene.advanceTime(120)
    assert.equal((await scene.clear()).promotion?.messageId, 'b')
  })

  test('clearing a key that nobody holds does nothing', async (scene) => {
    const { now, ...answer } = await scene.clear({ parked: true, running: 'drop' })
    assert.ok(now > 0)
    assert.deepEqual(answer, { freed: [], cancelled: [], kept: [], discarded: [], sessions: [], promotion: null })
  })
}
