import assert from 'node:assert/strict'
import { lockKey } from '../../../src/lock/key.js'
import { acquiring, KEY, PUBLISH_LEASE_MS, type SceneTest, TASK, termsOf } from './scene.js'

/** The publish guard's verb: granted, refused, parked, coalesced, finished; and each of them asked twice. */
export function acquireContract(test: SceneTest): void {
  test('a free key is granted to the first and refused to the second, who is told the holder', async (scene) => {
    assert.equal((await scene.acquire('a')).outcome, 'granted')
    const second = await scene.acquire('b')
    assert.ok(second.outcome === 'refused')
    assert.equal(second.holder.id, 'a')
    assert.equal(second.holder.stage, 'publishing')
    assert.equal(second.holder.token, null)
    assert.ok(second.remainingMs > 0 && second.remainingMs <= PUBLISH_LEASE_MS)
    assert.equal(second.doubt, null)
  })

  test('calls of different keys do not meet', async (scene) => {
    await scene.acquire('a')
    const other = await scene.acquire('b', { key: lockKey(TASK, '[2]') })
    assert.equal(other.outcome, 'granted')
  })

  test('one of eight calls at the same time is granted, also over several instances', async (scene) => {
    const others = await Promise.all([scene.another(), scene.another(), scene.another()])
    const stores = [scene.store, ...others]
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => stores[n % stores.length]?.acquire(acquiring(`m${n}`))),
    )
    assert.equal(answers.filter((answer) => answer?.outcome === 'granted').length, 1)
    assert.equal(answers.filter((answer) => answer?.outcome === 'refused').length, 7)
  })

  test('[P18] one call is parked behind the holder and later ones are coalesced into it', async (scene) => {
    await scene.acquire('a')
    const parked = await scene.park('b')
    assert.ok(parked.outcome === 'parked')
    assert.equal(parked.behind.id, 'a')
    const third = await scene.park('c')
    assert.ok(third.outcome === 'coalesced')
    assert.equal(third.into, 'b')
    assert.equal(third.behind.id, 'a')
    const view = await scene.store.show(KEY)
    assert.deepEqual(
      view?.parked.map((call) => call.id),
      ['b'],
    )
  })

  test('parked calls up to the capacity keep their order', async (scene) => {
    const whenHeld = { do: 'park', capacity: 3, keep: 'first' } as const
    await scene.acquire('a')
    for (const id of ['b', 'c', 'd']) assert.equal((await scene.acquire(id, { whenHeld })).outcome, 'parked')
    assert.equal((await scene.acquire('e', { whenHeld })).outcome, 'coalesced')
    for (const [id, next] of [
      ['a', 'b'],
      ['b', 'c'],
      ['c', 'd'],
    ] as const) {
      const ended = await scene.release(id, null, { outcome: 'revoked' })
      assert.ok(ended.outcome === 'released')
      assert.equal(ended.promotion?.messageId, next)
    }
  })

  test('[P21] a call that asks again while publishing is granted again, with its publish lease from now', async (scene) => {
    await scene.acquire('a')
    await scene.advanceTime(PUBLISH_LEASE_MS * 0.7)
    assert.equal((await scene.acquire('a')).outcome, 'granted')
    await scene.advanceTime(PUBLISH_LEASE_MS * 0.5)
    const other = await scene.acquire('b')
    assert.ok(other.outcome === 'refused')
    assert.equal(other.doubt, null)
  })

  test('[P21] a call that asks again later is told its stage', async (scene) => {
    await scene.acquire('a')
    await scene.confirm('a')
    const queued = await scene.acquire('a')
    assert.ok(queued.outcome === 'repeated')
    assert.equal(queued.stage, 'queued')
    await scene.running('a')
    const running = await scene.acquire('a')
    assert.ok(running.outcome === 'repeated')
    assert.equal(running.stage, 'running')
  })

  test('[P21] a parked call that asks again is still parked, once', async (scene) => {
    await scene.acquire('a')
    await scene.park('b')
    const again = await scene.park('b')
    assert.ok(again.outcome === 'parked')
    assert.equal(again.behind.id, 'a')
    assert.equal((await scene.store.find('b', null)).parked, true)
    assert.equal((await scene.park('c')).outcome, 'coalesced')
  })

  test('[P21] a coalesced call that asks again is still coalesced into the same call', async (scene) => {
    await scene.acquire('a')
    await scene.park('b')
    await scene.park('c')
    const again = await scene.park('c')
    assert.ok(again.outcome === 'coalesced')
    assert.equal(again.into, 'b')
  })

  test('a finished message is answered finished, with its outcome', async (scene) => {
    await scene.acquire('a')
    await scene.release('a', await scene.running('a'), { result: '{"n":1}' })
    const again = await scene.acquire('a')
    assert.ok(again.outcome === 'finished')
    assert.equal(again.record.outcome, 'ran')
    assert.equal(again.record.result, '{"n":1}')
    assert.equal((await scene.acquire('b')).outcome, 'granted')
  })

  test('a raised round is a message of its own', async (scene) => {
    await scene.acquire('a')
    await scene.release('a', await scene.running('a'), { outcome: 'failed' })
    assert.equal((await scene.acquire('a', { round: 2 })).outcome, 'granted')
  })

  test('[P8] a queued call holds the key until its timeout and no longer', async (scene) => {
    await scene.acquire('a', { terms: termsOf({ timeoutMs: 300 }) })
    await scene.confirm('a')
    assert.equal((await scene.acquire('b')).outcome, 'refused')
    await scene.advanceTime(320)
    assert.equal((await scene.acquire('b')).outcome, 'granted')
  })

  test('a queued call with an eta holds the key until eta + timeout', async (scene) => {
    const notBefore = (await scene.store.now()) + 400
    await scene.acquire('a', { terms: termsOf({ timeoutMs: 300, notBefore }) })
    await scene.confirm('a')
    await scene.advanceTime(350)
    const held = await scene.acquire('b')
    assert.ok(held.outcome === 'refused')
    assert.ok(held.remainingMs <= 350 + 10)
    await scene.advanceTime(400)
    assert.equal((await scene.acquire('b')).outcome, 'granted')
  })

  test('a queued call holds the key at most until it is worthless', async (scene) => {
    const expiresAt = (await scene.store.now()) + 300
    await scene.acquire('a', { terms: termsOf({ expiresAt }) })
    await scene.confirm('a')
    assert.equal((await scene.acquire('b')).outcome, 'refused')
    await scene.advanceTime(320)
    assert.equal((await scene.acquire('b')).outcome, 'granted')
  })

  test('a newcomer who finds a silent publisher is refused, with the doubt to ask the engine about', async (scene) => {
    await scene.acquire('a', { terms: termsOf({ queue: 'reports' }) })
    await scene.advanceTime(PUBLISH_LEASE_MS + 20)
    const refused = await scene.acquire('b')
    assert.ok(refused.outcome === 'refused')
    assert.equal(refused.remainingMs, 0)
    assert.equal(refused.doubt?.messageId, 'a')
    assert.equal(refused.doubt?.stage, 'publishing')
    assert.equal(refused.doubt?.queue, 'reports')
  })
}
