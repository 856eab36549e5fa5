import assert from 'node:assert/strict'
import type { Mode } from '../../../src/lock/mode.js'
import { KEY, LEASE_MS, LOCK_DELAY_MS, type SceneTest, termsOf } from './scene.js'

const COOL_MS = 1_000
const of = (mode: Mode) => ({ terms: termsOf({ mode }) })
const cooling = { terms: termsOf({ mode: 'untilExpired', timeoutMs: COOL_MS }) }

/** Over which part of a call's life it holds the key. */
export function modeContract(test: SceneTest): void {
  test('untilExecuting: held until the start, then free, while the run keeps lease, token and outcome', async (scene) => {
    const mode = of('untilExecuting')
    await scene.acquire('a', mode)
    assert.equal((await scene.acquire('b', mode)).outcome, 'refused')
    const token = await scene.running('a', mode)
    assert.equal((await scene.acquire('b', mode)).outcome, 'granted')
    assert.equal((await scene.run('b', mode)).outcome, 'granted', 'bodies may overlap')
    assert.equal((await scene.run('a', { ...mode, owner: 'o2' })).outcome, 'refused', '[P13] its redelivery may not')
    assert.equal((await scene.renew('a', token)).outcome, 'renewed')
    const ended = await scene.release('a', token)
    assert.ok(ended.outcome === 'released')
    assert.equal((await scene.run('a', mode)).outcome, 'finished')
  })

  test('untilExecuting: the start hands the key to the parked call', async (scene) => {
    const mode = of('untilExecuting')
    await scene.acquire('a', mode)
    await scene.park('b', mode)
    const started = await scene.run('a', mode)
    assert.ok(started.outcome === 'granted')
    assert.equal(started.promotion?.messageId, 'b')
  })

  test('untilExecuting: a retry does not take the key again', async (scene) => {
    const mode = of('untilExecuting')
    await scene.acquire('a', mode)
    await scene.requeue('a', await scene.running('a', mode), { reason: 'retry' })
    assert.equal((await scene.acquire('b', mode)).outcome, 'granted')
    assert.equal((await scene.run('a', { ...mode, owner: 'o2' })).outcome, 'granted')
  })

  test('untilExecuting: a crashed run is settled like any other', async (scene) => {
    const mode = of('untilExecuting')
    await scene.acquire('a', mode)
    await scene.running('a', mode)
    await scene.advanceTime(LEASE_MS + LOCK_DELAY_MS + 20)
    assert.equal((await scene.sweep()).doubts[0]?.messageId, 'a')
  })

  test('[P11] untilExecuting: a message that lost its hold passes the guard again', async (scene) => {
    const mode = of('untilExecuting')
    await scene.acquire('b', mode)
    await scene.confirm('b')
    assert.equal((await scene.run('a', { ...mode, whenHeld: 'wait' })).outcome, 'refused')
  })

  test('whileExecuting: taken at delivery; a second delivery meets its policy', async (scene) => {
    const mode = of('whileExecuting')
    const token = await scene.running('a', mode)
    const waits = await scene.run('b', { ...mode, whenHeld: 'wait' })
    assert.ok(waits.outcome === 'refused')
    assert.equal(waits.holder.id, 'a')
    const skipped = await scene.run('c', { ...mode, whenHeld: 'skip' })
    assert.ok(skipped.outcome === 'ended')
    assert.deepEqual([skipped.record.outcome, skipped.record.into], ['skipped', 'a'])
    await scene.release('a', token)
    assert.equal((await scene.run('b', { ...mode, whenHeld: 'wait' })).outcome, 'granted')
  })

  test('untilAndWhileExecuting: one waits and one runs; the waiting one keeps its place until the other ends', async (scene) => {
    const mode = of('untilAndWhileExecuting')
    await scene.acquire('a', mode)
    assert.equal((await scene.acquire('b', mode)).outcome, 'refused')
    const token = await scene.running('a', mode)
    assert.equal((await scene.acquire('b', mode)).outcome, 'granted')
    await scene.confirm('b')
    const refused = await scene.run('b', mode)
    assert.ok(refused.outcome === 'refused')
    assert.equal(refused.holder.id, 'a')
    assert.equal((await scene.store.find('b', KEY)).hold?.stage, 'queued')
    assert.equal((await scene.acquire('c', mode)).outcome, 'refused')
    await scene.release('a', token)
    assert.equal((await scene.run('b', mode)).outcome, 'granted')
  })

  test('untilAndWhileExecuting: the start hands the waiting place to the parked call', async (scene) => {
    const mode = of('untilAndWhileExecuting')
    await scene.acquire('a', mode)
    await scene.park('b', mode)
    const started = await scene.run('a', mode)
    assert.ok(started.outcome === 'granted')
    assert.equal(started.promotion?.messageId, 'b')
    const again = await scene.run('a', mode)
    assert.ok(again.outcome === 'granted')
    assert.equal(again.token, started.token)
  })

  test('[P12] untilAndWhileExecuting: a retry keeps its place among the running', async (scene) => {
    const mode = of('untilAndWhileExecuting')
    await scene.acquire('a', mode)
    const token = await scene.running('a', mode)
    await scene.acquire('b', mode)
    await scene.requeue('a', token, { reason: 'retry' })
    assert.equal((await scene.run('b', mode)).outcome, 'refused')
    assert.equal((await scene.run('a', { ...mode, owner: 'o2' })).outcome, 'granted')
  })

  test('[P1] calls of different modes meet on one key as after a deploy: a whole hold keeps everyone out', async (scene) => {
    await scene.acquire('a', of('untilExecuted'))
    assert.equal((await scene.acquire('b', of('untilAndWhileExecuting'))).outcome, 'refused')
    assert.equal((await scene.run('c', { ...of('whileExecuting'), whenHeld: 'wait' })).outcome, 'refused')
    await scene.release('a', null, { outcome: 'revoked' })
    await scene.running('c', of('whileExecuting'))
    assert.equal((await scene.acquire('b', of('untilAndWhileExecuting'))).outcome, 'granted')
    assert.equal((await scene.acquire('d', of('untilExecuted'))).outcome, 'refused')
  })

  test('where only parked calls are in the way, the holder they wait for is named', async (scene) => {
    await scene.running('a', of('whileExecuting'))
    assert.equal((await scene.park('b')).outcome, 'parked')
    const refused = await scene.acquire('c', of('untilAndWhileExecuting'))
    assert.ok(refused.outcome === 'refused')
    assert.equal(refused.holder.id, 'a')
  })

  test('untilAndWhileExecuting: without a place a delivery meets its policy at the running set too', async (scene) => {
    const mode = of('untilAndWhileExecuting')
    await scene.acquire('a', mode)
    await scene.running('a', mode)
    const skipped = await scene.run('b', { ...mode, whenHeld: 'skip' })
    assert.ok(skipped.outcome === 'ended')
    assert.deepEqual([skipped.record.outcome, skipped.record.into], ['skipped', 'a'])
  })

  test('untilExecuting: its run needs no slot and takes none', async (scene) => {
    const free = { terms: termsOf({ mode: 'untilExecuting', limit: 2 }) }
    const whole = { terms: termsOf({ limit: 2 }) }
    await scene.acquire('a', free)
    await scene.running('a', free)
    await scene.acquire('b', whole)
    assert.equal((await scene.run('b', whole)).outcome, 'granted', 'slot 0 was not taken by the free run')
    await scene.acquire('c', free)
    assert.equal((await scene.run('c', free)).outcome, 'granted', 'slot 0 is not asked for by the free run')
  })

  test('[P11] untilExpired: a key that cools covers nobody', async (scene) => {
    await scene.acquire('a', cooling)
    await scene.release('a', await scene.running('a', cooling))
    assert.equal((await scene.run('b', { ...cooling, whenHeld: 'coalesce', publishedAt: 0 })).outcome, 'refused')
  })

  test('untilExpired: revoking a call that has run leaves its key cooling', async (scene) => {
    await scene.acquire('a', cooling)
    await scene.release('a', await scene.running('a', cooling))
    assert.equal((await scene.revoke('a')).outcome, 'finished')
    assert.equal((await scene.acquire('b', cooling)).outcome, 'refused')
  })

  test('untilExpired: after its run the key cools until grant + timeout, and then the parked call has its turn', async (scene) => {
    await scene.acquire('a', cooling)
    const ended = await scene.release('a', await scene.running('a', cooling))
    assert.ok(ended.outcome === 'released')
    assert.equal(ended.promotion, null)
    const refused = await scene.acquire('b', cooling)
    assert.ok(refused.outcome === 'refused')
    assert.deepEqual([refused.holder.stage, refused.holder.worker, refused.holder.token], ['cooling', null, null])
    assert.ok(refused.remainingMs > 0 && refused.remainingMs <= COOL_MS)
    assert.equal((await scene.store.find('a', KEY)).outcome?.outcome, 'ran')
    assert.equal((await scene.store.find('a', KEY)).hold, null)
    assert.equal((await scene.store.show(KEY))?.rows[0]?.stage, 'cooling')
    assert.equal((await scene.run('a', cooling)).outcome, 'finished')
    assert.equal((await scene.park('b', cooling)).outcome, 'parked')
    assert.deepEqual((await scene.sweep()).promotions, [])
    await scene.advanceTime(COOL_MS + 20)
    assert.equal((await scene.sweep()).promotions[0]?.messageId, 'b')
  })

  test('untilExpired: a call that ends before it ran, and one that was told to stop, leave nothing to cool', async (scene) => {
    await scene.acquire('a', cooling)
    await scene.release('a', null, { outcome: 'expired' })
    await scene.acquire('b', cooling)
    const token = await scene.running('b', cooling)
    await scene.clear({ running: 'cancel' })
    await scene.release('b', token)
    assert.equal((await scene.acquire('c', cooling)).outcome, 'granted')
  })

  test('untilExpired: a run longer than the timeout frees the key at its end', async (scene) => {
    const brief = { terms: termsOf({ mode: 'untilExpired', timeoutMs: 50 }) }
    await scene.acquire('a', brief)
    const token = await scene.running('a', brief)
    await scene.advanceTime(60)
    await scene.release('a', token)
    assert.equal((await scene.acquire('b', brief)).outcome, 'granted')
  })

  test('untilExpired: what cools is cleared without force, and replaced by nobody', async (scene) => {
    await scene.acquire('a', cooling)
    await scene.release('a', await scene.running('a', cooling))
    const waits = await scene.acquire('b', { ...cooling, whenHeld: { do: 'replace', minRunMs: 0 } })
    assert.equal(waits.outcome, 'parked')
    const cleared = await scene.clear()
    assert.deepEqual(
      cleared.freed.map((each) => [each.id, each.stage]),
      [['a', 'cooling']],
    )
    assert.equal(cleared.promotion?.messageId, 'b')
    assert.equal((await scene.store.find('a', KEY)).outcome?.outcome, 'ran')
  })
}
