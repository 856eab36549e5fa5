import assert from 'node:assert/strict'
import type { Promotion } from '../../../src/lock/hold.js'
import { lockKey } from '../../../src/lock/key.js'
import {
  acquiring,
  KEY,
  LEASE_MS,
  LOCK_DELAY_MS,
  messageText,
  PUBLISH_LEASE_MS,
  type SceneTest,
  TASK,
  termsOf,
} from './scene.js'

/** What nobody is left to do: promotions to publish, doubts to ask the engine about. */
export function sweepContract(test: SceneTest): void {
  test('nothing is swept where nothing is over', async (scene) => {
    await scene.acquire('a')
    await scene.confirm('a')
    await scene.park('b')
    const { promotions, doubts } = await scene.sweep()
    assert.deepEqual([promotions, doubts], [[], []])
  })

  test('[P18] a parked call has its turn when the queued holder ran out of time', async (scene) => {
    await scene.acquire('a', { terms: termsOf({ timeoutMs: 100 }) })
    await scene.confirm('a')
    await scene.park('b')
    await scene.advanceTime(120)
    const { promotions } = await scene.sweep()
    assert.deepEqual(promotions, [{ key: KEY, messageId: 'b', round: 1, message: messageText('b') }])
  })

  test('[P19] a promotion stays with whoever took it for a publish lease, then is handed out until confirmed', async (scene) => {
    await scene.acquire('a')
    await scene.park('b')
    await scene.release('a', await scene.running('a'))
    assert.deepEqual((await scene.sweep()).promotions, [])
    await scene.advanceTime(PUBLISH_LEASE_MS + 20)
    assert.equal((await scene.sweep()).promotions[0]?.messageId, 'b')
    await scene.advanceTime(PUBLISH_LEASE_MS + 20)
    assert.equal((await scene.sweep()).promotions[0]?.messageId, 'b')
    await scene.confirm('b')
    await scene.advanceTime(PUBLISH_LEASE_MS + 20)
    assert.deepEqual((await scene.sweep()).promotions, [])
  })

  test('[P10] a call that becomes worthless while it waits to be published is recorded expired', async (scene) => {
    await scene.acquire('a')
    const expiresAt = (await scene.store.now()) + 200
    await scene.park('b', { terms: termsOf({ expiresAt }) })
    await scene.release('a', await scene.running('a'))
    await scene.advanceTime(PUBLISH_LEASE_MS + 20)
    assert.deepEqual((await scene.sweep()).promotions, [])
    assert.equal((await scene.store.find('b', KEY)).outcome?.outcome, 'expired')
    assert.equal((await scene.acquire('c')).outcome, 'granted')
  })

  test('[P8] a silent publisher is doubted after its publish lease', async (scene) => {
    await scene.acquire('a', { terms: termsOf({ queue: 'reports' }) })
    assert.deepEqual((await scene.sweep()).doubts, [])
    await scene.advanceTime(PUBLISH_LEASE_MS + 20)
    assert.deepEqual((await scene.sweep()).doubts, [
      { key: KEY, messageId: 'a', round: 1, stage: 'publishing', token: null, queue: 'reports' },
    ])
  })

  test('[P8] a run is doubted after lease and lock delay, not before', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    await scene.advanceTime(LEASE_MS + 20)
    assert.deepEqual((await scene.sweep()).doubts, [])
    await scene.advanceTime(LOCK_DELAY_MS)
    const { doubts } = await scene.sweep()
    assert.deepEqual(doubts, [{ key: KEY, messageId: 'a', round: 1, stage: 'running', token, queue: 'default' }])
  })

  test('a doubt stays with whoever took it for a second, then is handed out again', async (scene) => {
    await scene.acquire('a')
    await scene.advanceTime(PUBLISH_LEASE_MS + 20)
    assert.equal((await scene.sweep()).doubts.length, 1)
    assert.equal((await scene.sweep()).doubts.length, 0)
    await scene.advanceTime(1_050)
    assert.equal((await scene.sweep()).doubts.length, 1)
  })

  test('one pass hands out at most `limit`, the next passes the rest, each once', async (scene) => {
    const found: Promotion[] = []
    for (let n = 0; n < 7; n += 1) {
      const key = lockKey(TASK, `[${n}]`)
      await scene.store.acquire(acquiring(`h${n}`, { key, terms: termsOf({ timeoutMs: 1 }) }))
      await scene.store.acquire(acquiring(`p${n}`, { key, whenHeld: { do: 'park', capacity: 1, keep: 'first' } }))
      await scene.store.confirm([{ key, messageId: `h${n}`, round: 1 }])
    }
    await scene.advanceTime(20)
    const sweep = { limit: 3, publishLeaseMs: 30_000, resultMs: 1_000 }
    for (let pass = 0; pass < 4; pass += 1) {
      const { promotions } = await scene.store.sweep(sweep)
      assert.ok(promotions.length <= 3)
      found.push(...promotions)
    }
    assert.deepEqual(found.map((each) => each.messageId).sort(), ['p0', 'p1', 'p2', 'p3', 'p4', 'p5', 'p6'])
  })
}
