import assert from 'node:assert/strict'
import { KEY, LEASE_MS, LOCK_DELAY_MS, messageText, type Scene, type SceneTest, termsOf } from './scene.js'

const replacing = { whenHeld: { do: 'replace', minRunMs: 0 } } as const
const two = termsOf({ limit: 2 })

/** The newcomer takes the holder's place, at once or when its body is gone. */
export function replaceContract(test: SceneTest): void {
  test('a free key is granted', async (scene) => {
    const answer = await scene.acquire('a', replacing)
    assert.ok(answer.outcome === 'granted')
    assert.equal(answer.replaced, undefined)
  })

  for (const stage of ['publishing', 'queued', 'promoting'] as const) {
    test(`[P10] a ${stage} holder is recorded replaced and the newcomer has the key at once`, async (scene) => {
      await holder(scene, stage)
      const answer = await scene.acquire('b', replacing)
      assert.ok(answer.outcome === 'granted')
      assert.deepEqual(answer.replaced, ['a'])
      const { outcome } = await scene.store.find('a', KEY)
      assert.deepEqual(
        [outcome?.outcome, outcome?.code, outcome?.into, outcome?.token],
        ['replaced', 'REPLACED', 'b', null],
      )
      assert.equal((await scene.run('a')).outcome, 'finished', 'its delivery runs nothing')
      assert.equal((await scene.run('b')).outcome, 'granted')
    })
  }

  test('[P2] a running holder is told to stop and keeps the key until it has; then the newcomer’s turn comes', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    const answer = await scene.acquire('b', replacing)
    assert.ok(answer.outcome === 'parked')
    assert.equal(answer.behind.id, 'a')
    const row = (await scene.store.show(KEY))?.rows[0]
    assert.deepEqual([row?.holder, row?.cancelledBy, row?.cancelledHow], ['a', 'b', 'replaced'])
    assert.deepEqual(await scene.renew('a', token), { outcome: 'lost', reason: 'cancelled' })
    const ended = await scene.release('a', token)
    assert.ok(ended.outcome === 'released')
    const { outcome, code, into, result } = ended.record
    assert.deepEqual([outcome, code, into, result, ended.record.token], ['replaced', 'REPLACED', 'b', null, token])
    assert.equal(ended.promotion?.messageId, 'b')
    assert.equal(ended.promotion.message, messageText('b'))
  })

  test('a replaced run whose process died does not come back', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    await scene.acquire('b', replacing)
    const ended = await scene.requeue('a', token)
    assert.ok(ended.outcome === 'ended')
    assert.equal(ended.record.outcome, 'replaced')
    assert.equal(ended.promotion?.messageId, 'b')
  })

  test('a replaced run whose worker died is recorded replaced once its lease and lock delay are over', async (scene) => {
    await scene.acquire('a')
    await scene.running('a')
    await scene.acquire('b', replacing)
    await scene.advanceTime(LEASE_MS + LOCK_DELAY_MS + 20)
    const { doubts } = await scene.sweep()
    assert.equal(doubts[0]?.messageId, 'a')
    const answer = await scene.store.resolve({
      doubt: doubts[0],
      state: 'active',
      maxDeliveries: 3,
      publishLeaseMs: 300,
      resultMs: 1_000,
    })
    assert.ok(answer.outcome === 'freed')
    assert.equal(answer.promotion?.messageId, 'b')
    assert.equal((await scene.store.find('a', KEY)).outcome?.outcome, 'replaced')
  })

  test('[P10] the waiting call of a second replace is recorded replaced and gives its place', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    await scene.acquire('b', replacing)
    const answer = await scene.acquire('c', replacing)
    assert.ok(answer.outcome === 'parked')
    assert.deepEqual(answer.replaced, ['b'])
    const { outcome } = await scene.store.find('b', KEY)
    assert.deepEqual([outcome?.outcome, outcome?.into], ['replaced', 'c'])
    const ended = await scene.release('a', token)
    assert.ok(ended.outcome === 'released')
    assert.equal(ended.record.into, 'b', 'who asked first is remembered')
    assert.equal(ended.promotion?.messageId, 'c')
  })

  test('of calls that others parked the last gives its place, and the others keep theirs', async (scene) => {
    const queueing = { whenHeld: { do: 'park', capacity: 5, keep: 'all' } } as const
    await scene.acquire('a')
    const token = await scene.running('a')
    await scene.park('b')
    await scene.acquire('c', queueing)
    const answer = await scene.acquire('d', replacing)
    assert.ok(answer.outcome === 'parked')
    assert.deepEqual(answer.replaced, ['c'])
    assert.deepEqual(
      (await scene.store.show(KEY))?.parked.map(({ id }) => id),
      ['b', 'd'],
    )
    const ended = await scene.release('a', token)
    assert.ok(ended.outcome === 'released')
    assert.equal(ended.promotion?.messageId, 'b')
  })

  test('[P21] a call that replaced and asks again gets the same answer', async (scene) => {
    await scene.acquire('a')
    await scene.running('a')
    await scene.acquire('b', replacing)
    const again = await scene.acquire('b', replacing)
    assert.ok(again.outcome === 'parked')
    assert.equal(again.replaced, undefined)
    assert.equal((await scene.store.find('b', KEY)).outcome, null)
  })

  test('a holder that has run for less than minRun is waited for, not stopped', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    const whenHeld = { do: 'replace', minRunMs: 60_000 } as const
    assert.equal((await scene.acquire('b', { whenHeld })).outcome, 'parked')
    assert.equal((await scene.renew('a', token)).outcome, 'renewed')
    const ended = await scene.release('a', token)
    assert.ok(ended.outcome === 'released')
    assert.deepEqual([ended.record.outcome, ended.promotion?.messageId], ['ran', 'b'])
  })

  test('with a limit the run of the lowest token is stopped, and one at a time', async (scene) => {
    for (const id of ['a', 'b']) await scene.acquire(id, { terms: two })
    const late = await scene.running('b', { terms: two, slot: 0 })
    const later = await scene.running('a', { terms: two, slot: 1 })
    for (const id of ['c', 'd']) await scene.acquire(id, { ...replacing, terms: two })
    assert.equal((await scene.renew('b', late)).outcome, 'lost')
    assert.equal((await scene.renew('a', later)).outcome, 'renewed')
    const ended = await scene.release('b', late)
    assert.ok(ended.outcome === 'released')
    assert.equal(ended.promotion?.messageId, 'd')
  })

  test('with a limit a holder that does not run yet gives its place before a run is stopped', async (scene) => {
    for (const id of ['a', 'b']) await scene.acquire(id, { terms: two })
    const token = await scene.running('a', { terms: two })
    const answer = await scene.acquire('c', { ...replacing, terms: two })
    assert.ok(answer.outcome === 'granted')
    assert.deepEqual(answer.replaced, ['b'])
    assert.equal((await scene.renew('a', token)).outcome, 'renewed')
  })

  test('with room beside the holder only the waiting call is replaced, and the holder goes on', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    await scene.park('b')
    const answer = await scene.acquire('c', { ...replacing, terms: two })
    assert.ok(answer.outcome === 'granted')
    assert.deepEqual(answer.replaced, ['b'])
    assert.equal((await scene.renew('a', token)).outcome, 'renewed')
  })

  test('while a replaced run still has to end, nobody but the waiting call is disturbed', async (scene) => {
    for (const id of ['a', 'b']) await scene.acquire(id, { terms: two })
    await scene.running('a', { terms: two, slot: 0 })
    const token = await scene.running('b', { terms: two, slot: 1 })
    await scene.acquire('c', { ...replacing, terms: two })
    await scene.requeue('b', token, { reason: 'retry' })
    const answer = await scene.acquire('d', { ...replacing, terms: two })
    assert.ok(answer.outcome === 'parked')
    assert.deepEqual(answer.replaced, ['c'])
    assert.equal((await scene.store.find('b', KEY)).hold?.stage, 'queued')
  })

  test('[P11] a run that is to be stopped covers nobody', async (scene) => {
    await scene.acquire('a')
    await scene.running('a')
    await scene.acquire('b', replacing)
    assert.equal((await scene.run('c', { publishedAt: 0, whenHeld: 'coalesce' })).outcome, 'refused')
  })

  test('at delivery a message without a hold stops the run and waits for its end', async (scene) => {
    const terms = termsOf({ mode: 'whileExecuting' })
    const token = await scene.running('a', { terms })
    const refused = await scene.run('b', { terms, whenHeld: 'replace' })
    assert.ok(refused.outcome === 'refused')
    assert.deepEqual(await scene.renew('a', token), { outcome: 'lost', reason: 'cancelled' })
    const ended = await scene.release('a', token)
    assert.ok(ended.outcome === 'released')
    assert.deepEqual([ended.record.outcome, ended.record.into], ['replaced', 'b'])
    assert.equal((await scene.run('b', { terms, whenHeld: 'replace' })).outcome, 'granted')
  })

  test('at delivery a message without a hold takes the place of one that waits for its retry', async (scene) => {
    const terms = termsOf({ mode: 'whileExecuting' })
    await scene.requeue('a', await scene.running('a', { terms }), { reason: 'retry' })
    assert.equal((await scene.run('b', { terms, whenHeld: 'replace' })).outcome, 'granted')
    assert.equal((await scene.run('a', { terms })).outcome, 'finished')
  })

  test('at delivery minRun is kept', async (scene) => {
    const terms = termsOf({ mode: 'whileExecuting' })
    const token = await scene.running('a', { terms })
    await scene.run('b', { terms, whenHeld: 'replace', minRunMs: 60_000 })
    assert.equal((await scene.renew('a', token)).outcome, 'renewed')
  })
}

async function holder(scene: Scene, stage: 'publishing' | 'queued' | 'promoting'): Promise<void> {
  if (stage === 'promoting') {
    await scene.acquire('before')
    await scene.park('a')
    await scene.release('before', null, { outcome: 'revoked' })
    return
  }
  await scene.acquire('a')
  if (stage === 'queued') await scene.confirm('a')
}
