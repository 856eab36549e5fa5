import assert from 'node:assert/strict'
import type { Doubt, EngineState, ResolveAnswer } from '../../../src/lock/doubt.js'
import { LEASE_MS, LOCK_DELAY_MS, PUBLISH_LEASE_MS, RESULT_MS, refTo, type Scene, type SceneTest } from './scene.js'

const ALIVE: readonly EngineState[] = ['waiting', 'delayed', 'active']
const MISSING_MS = 150
const GONE: readonly EngineState[] = ['finished', 'absent']

/** The engine's word on a doubt. */
export function resolveContract(test: SceneTest): void {
  for (const state of ALIVE) {
    test(`[P8] a silent publisher's message that is ${state} keeps the key, as queued`, async (scene) => {
      const doubt = await silentPublisher(scene)
      assert.equal((await resolve(scene, doubt, state)).outcome, 'queued')
      assert.equal((await scene.store.find('a', null)).hold?.stage, 'queued')
      assert.equal((await resolve(scene, doubt, 'absent')).outcome, 'kept', 'no longer in doubt')
    })

    test(`[P8] a dead run whose message is ${state} falls back to its message`, async (scene) => {
      const doubt = await deadRun(scene)
      assert.equal((await resolve(scene, doubt, state)).outcome, 'queued')
      assert.equal((await scene.acquire('c')).outcome, 'refused')
      const again = await scene.run('a', { owner: 'o2' })
      assert.ok(again.outcome === 'granted')
      assert.ok(again.token > (doubt.token ?? 0))
      assert.equal(again.deliveries, 2)
    })
  }

  for (const state of GONE) {
    test(`[P8] a silent publisher's message that is ${state} frees the key for the next`, async (scene) => {
      const doubt = await silentPublisher(scene)
      const freed = await resolve(scene, doubt, state)
      assert.ok(freed.outcome === 'freed')
      assert.equal(freed.promotion?.messageId, 'b')
      const gone = await scene.store.find('a', null)
      assert.deepEqual([gone.hold, gone.outcome], [null, null])
    })

    test(`[P10] a dead run whose message is ${state} is recorded lost and frees the key`, async (scene) => {
      const doubt = await deadRun(scene)
      const freed = await resolve(scene, doubt, state)
      assert.ok(freed.outcome === 'freed')
      assert.equal(freed.promotion?.messageId, 'b')
      const outcome = (await scene.store.find('a', null)).outcome
      assert.equal(outcome?.outcome, 'lock_lost')
      assert.equal(outcome?.code, 'LOCK_LOST')
      assert.equal(outcome?.token, doubt.token)
    })
  }

  test('a run that died maxDeliveries times is given up', async (scene) => {
    const doubt = await deadRun(scene)
    const freed = await resolve(scene, doubt, 'waiting', 1)
    assert.ok(freed.outcome === 'freed')
    assert.equal((await scene.store.find('a', null)).outcome?.code, 'MAX_DELIVERIES')
  })

  for (const state of GONE) {
    test(`a queued message that is ${state} twice, some time apart, is purged and the next has its turn`, async (scene) => {
      const doubt = await queued(scene)
      assert.equal((await miss(scene, doubt, state)).outcome, 'kept', 'missing for the first time')
      assert.equal((await miss(scene, doubt, state)).outcome, 'kept', 'too soon')
      await scene.advanceTime(MISSING_MS)
      const freed = await miss(scene, doubt, state)
      assert.ok(freed.outcome === 'freed')
      assert.deepEqual(
        [freed.record?.outcome, freed.record?.code, freed.promotion?.messageId],
        ['purged', 'PURGED', 'b'],
      )
      assert.deepEqual((await scene.store.find('a', null)).outcome, freed.record)
      assert.equal((await scene.run('a')).outcome, 'finished')
      assert.equal((await miss(scene, doubt, state)).outcome, 'kept')
    })
  }

  test('[P12] a queued message that is found again, or was delivered meanwhile, has to be missed anew', async (scene) => {
    const doubt = await queued(scene)
    await miss(scene, doubt, 'absent')
    await scene.advanceTime(MISSING_MS)
    assert.equal((await miss(scene, doubt, 'delayed')).outcome, 'kept')
    assert.equal((await miss(scene, doubt, 'absent')).outcome, 'kept')
    await scene.requeue('a', await scene.running('a'), { reason: 'retry' })
    await scene.advanceTime(MISSING_MS)
    assert.equal((await miss(scene, doubt, 'absent')).outcome, 'kept')
    const token = await scene.running('a', { owner: 'o2' })
    await scene.advanceTime(MISSING_MS)
    assert.equal((await miss(scene, doubt, 'absent')).outcome, 'kept', 'it runs')
    assert.equal((await scene.renew('a', token)).outcome, 'renewed')
  })

  test('a stopped run that never reported its end is recorded cleared', async (scene) => {
    await scene.acquire('a')
    await scene.running('a')
    await scene.clear({ running: 'cancel' })
    await scene.advanceTime(LEASE_MS + LOCK_DELAY_MS + 20)
    const [doubt] = (await scene.sweep()).doubts
    assert.ok(doubt)
    assert.equal((await scene.run('a', { owner: 'o2' })).outcome, 'refused', 'a cancelled message does not start again')
    assert.equal((await resolve(scene, doubt, 'active')).outcome, 'freed')
    assert.equal((await scene.store.find('a', null)).outcome?.outcome, 'cleared')
  })

  test('[P9] a doubt whose holder came back meanwhile changes nothing', async (scene) => {
    const published = await silentPublisher(scene)
    await scene.acquire('a')
    assert.equal((await resolve(scene, published, 'absent')).outcome, 'kept', 'its publisher tries again')
    await scene.running('a')
    assert.equal((await resolve(scene, published, 'absent')).outcome, 'kept', 'it runs')
    await scene.advanceTime(LEASE_MS + LOCK_DELAY_MS + 20)
    const [ran] = (await scene.sweep()).doubts
    assert.ok(ran)
    const token = await scene.running('a', { owner: 'o2' })
    assert.equal((await resolve(scene, ran, 'absent')).outcome, 'kept', 'it runs again')
    assert.equal((await scene.renew('a', token)).outcome, 'renewed')
  })
}

/** A call that waits with the engine, with a call parked behind it. */
async function queued(scene: Scene): Promise<Doubt> {
  await scene.acquire('a')
  await scene.confirm('a')
  await scene.park('b')
  return { ...refTo('a'), stage: 'queued', token: null, queue: 'default' }
}

function miss({ store }: Scene, doubt: Doubt, state: EngineState): Promise<ResolveAnswer> {
  const times = { publishLeaseMs: PUBLISH_LEASE_MS, resultMs: RESULT_MS, missingMs: MISSING_MS }
  return store.resolve({ doubt, state, maxDeliveries: 3, ...times })
}

/** A publisher that fell silent, with a call parked behind it. */
async function silentPublisher(scene: Scene): Promise<Doubt> {
  await scene.acquire('a')
  await scene.park('b')
  await scene.advanceTime(PUBLISH_LEASE_MS + 20)
  return onlyDoubt(scene)
}

/** A run whose lease and lock delay are over, with a call parked behind it. */
async function deadRun(scene: Scene): Promise<Doubt> {
  await scene.acquire('a')
  await scene.park('b')
  await scene.running('a')
  await scene.advanceTime(LEASE_MS + LOCK_DELAY_MS + 20)
  return onlyDoubt(scene)
}

async function onlyDoubt(scene: Scene): Promise<Doubt> {
  const { doubts } = await scene.sweep()
  assert.equal(doubts.length, 1)
  return doubts[0] as Doubt
}

function resolve(scene: Scene, doubt: Doubt, state: EngineState, maxDeliveries = 3): Promise<ResolveAnswer> {
  return scene.store.resolve({ doubt, state, maxDeliveries, publishLeaseMs: PUBLISH_LEASE_MS, resultMs: RESULT_MS })
}
