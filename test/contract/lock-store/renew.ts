import assert from 'node:assert/strict'
import { lockKey } from '../../../src/lock/key.js'
import { acquiring, LEASE_MS, LOCK_DELAY_MS, renewal, runStep, type SceneTest, TASK } from './scene.js'

/** Prolonging running leases, many at once. */
export function renewContract(test: SceneTest): void {
  test('[P9] a holder that renews in time keeps its key as long as it likes', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    for (let n = 0; n < 4; n += 1) {
      await scene.advanceTime(LEASE_MS / 2)
      const answer = await scene.renew('a', token)
      assert.ok(answer.outcome === 'renewed')
      assert.ok(answer.expiresAt > (await scene.store.now()) + LEASE_MS / 2)
      assert.deepEqual((await scene.sweep()).doubts, [])
    }
    assert.equal((await scene.run('a', { owner: 'o2' })).outcome, 'refused')
  })

  test('[P6] a late renewal is refused and never revives the lease', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    await scene.advanceTime(LEASE_MS + 20)
    assert.deepEqual(await scene.renew('a', token), { outcome: 'lost', reason: 'ended' })
    assert.deepEqual(await scene.renew('a', token), { outcome: 'lost', reason: 'ended' })
    await scene.advanceTime(LOCK_DELAY_MS)
    assert.equal((await scene.run('a', { owner: 'o2' })).outcome, 'granted')
  })

  test('[P4] a token that was overtaken is told so', async (scene) => {
    await scene.acquire('a')
    const old = await scene.running('a', { owner: 'o1' })
    await scene.requeue('a', old)
    await scene.running('a', { owner: 'o2' })
    assert.deepEqual(await scene.renew('a', old), { outcome: 'lost', reason: 'taken' })
  })

  test('a run that an operator stopped is told so at its next renewal', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    await scene.clear({ running: 'cancel' })
    assert.deepEqual(await scene.renew('a', token), { outcome: 'lost', reason: 'cancelled' })
  })

  test('[P4] a hold that is gone, queued or of a token nobody was given is not renewed', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    assert.deepEqual(await scene.renew('a', token + 1), { outcome: 'lost', reason: 'ended' })
    await scene.requeue('a', token)
    assert.deepEqual(await scene.renew('a', token), { outcome: 'lost', reason: 'ended' })
    await scene.release('a', await scene.running('a', { owner: 'o2' }))
    assert.deepEqual(await scene.renew('a', token), { outcome: 'lost', reason: 'ended' })
    assert.deepEqual(await scene.renew('nobody', token), { outcome: 'lost', reason: 'ended' })
  })

  test('many leases are answered in the order asked, the living beside the lost', async (scene) => {
    const leases = []
    for (let n = 0; n < 20; n += 1) {
      const key = lockKey(TASK, `[${n}]`)
      await scene.store.acquire(acquiring(`m${n}`, { key }))
      const answer = await scene.store.advance(runStep(`m${n}`, { key, leaseMs: 10_000 }))
      assert.ok(answer.outcome === 'granted')
      leases.push({ ...renewal(`m${n}`, answer.token), key })
      if (n % 3 === 0) await scene.clear({ key, running: 'drop' })
    }
    const answers = await scene.store.renew({ worker: null, leases, acked: [] })
    assert.deepEqual(
      answers.leases.map((each) => each.outcome),
      leases.map((_, n) => (n % 3 === 0 ? 'lost' : 'renewed')),
    )
  })

  test('an acknowledged message keeps its outcome for repeats under way', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    await scene.release('a', token)
    const ref = { key: acquiring('a').key, messageId: 'a', round: 1 }
    const answer = await scene.store.renew({ worker: null, leases: [], acked: [ref, { ...ref, messageId: 'nobody' }] })
    assert.deepEqual(answer.leases, [])
    assert.equal((await scene.run('a', { owner: 'o2' })).outcome, 'finished')
    assert.equal((await scene.store.find('a', null)).outcome?.result, '7')
  })
}
