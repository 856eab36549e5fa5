import assert from 'node:assert/strict'
import { KEY, PUBLISH_LEASE_MS, RESULT_MS, type Scene, type SceneTest, termsOf } from './scene.js'

/** Holds that ended while their message did not are remembered with their key. */
export function historyContract(test: SceneTest): void {
  test('[P12] a hold that waited longer than its timeout is told as lapsed', async (scene) => {
    await scene.acquire('a', { terms: termsOf({ timeoutMs: 100 }) })
    await scene.confirm('a')
    await scene.advanceTime(120)
    assert.equal((await scene.acquire('b')).outcome, 'granted')
    assert.deepEqual(await told(scene), [['lapsed', 'a', null]])
  })

  test('[P12] a hold that was cleared is told, with who did it; one whose message ended is not', async (scene) => {
    await scene.acquire('a')
    await scene.clear({ by: 'ada' })
    await scene.acquire('b')
    await scene.running('b')
    await scene.clear({ running: 'drop', by: 'bob' })
    await scene.acquire('c')
    await scene.release('c', null, { outcome: 'revoked' })
    assert.deepEqual(await told(scene), [
      ['cleared', 'b', 'bob'],
      ['cleared', 'a', 'ada'],
    ])
  })

  test('[P12] a hold whose message never reached the engine is told as unpublished', async (scene) => {
    await scene.acquire('a')
    await scene.advanceTime(PUBLISH_LEASE_MS + 20)
    const [doubt] = (await scene.sweep()).doubts
    assert.ok(doubt)
    const times = { publishLeaseMs: PUBLISH_LEASE_MS, resultMs: RESULT_MS }
    await scene.store.resolve({ doubt, state: 'absent', maxDeliveries: 3, ...times })
    assert.deepEqual(await told(scene), [['unpublished', 'a', null]])
  })

  test('at most the 20 newest are kept', async (scene) => {
    for (let n = 0; n < 22; n += 1) {
      await scene.acquire(`m${n}`)
      await scene.clear()
    }
    const events = await told(scene)
    assert.equal(events.length, 20)
    assert.deepEqual([events[0]?.[1], events[19]?.[1]], ['m21', 'm2'])
  })
}

async function told(scene: Scene): Promise<[string, string, string | null][]> {
  const view = await scene.store.show(KEY)
  return (view?.history ?? []).map(({ event, messageId, by, at }) => {
    assert.ok(at > 0)
    return [event, messageId, by]
  })
}
