import assert from 'node:assert/strict'
import { KEY, LEASE_MS, LOCK_DELAY_MS, type SceneTest, termsOf } from './scene.js'

const two = { terms: termsOf({ limit: 2 }) }
const three = { terms: termsOf({ limit: 3 }) }

/** Several holders of one key: permits are the holds themselves, each run in a slot of its own. */
export function limitContract(test: SceneTest): void {
  test('[P1] as many calls hold the key as the asker allows, whatever the others asked with', async (scene) => {
    assert.equal((await scene.acquire('a', three)).outcome, 'granted')
    assert.equal((await scene.acquire('b', two)).outcome, 'granted')
    const refused = await scene.acquire('c', two)
    assert.ok(refused.outcome === 'refused')
    assert.equal(refused.holder.id, 'a', 'the first granted is named')
    assert.equal(refused.full, false)
    assert.equal((await scene.acquire('c', three)).outcome, 'granted')
    assert.equal((await scene.acquire('d', three)).outcome, 'refused')
  })

  test('[P1] a run wants a free slot: one in use is answered with all that are, and changes nothing', async (scene) => {
    for (const id of ['a', 'b', 'c']) await scene.acquire(id, three)
    await scene.running('a', { ...three, slot: 1 })
    const taken = await scene.run('b', { ...three, slot: 1 })
    assert.ok(taken.outcome === 'slotTaken')
    assert.deepEqual(taken.taken, [1])
    assert.equal(taken.holder.id, 'a')
    assert.ok(taken.remainingMs > LEASE_MS && taken.remainingMs <= LEASE_MS + LOCK_DELAY_MS)
    assert.equal((await scene.store.find('b', KEY)).hold?.stage, 'publishing')
    await scene.running('b', { ...three, slot: 2 })
    const both = await scene.run('c', { ...three, slot: 2 })
    assert.ok(both.outcome === 'slotTaken')
    assert.deepEqual([...both.taken].sort(), [1, 2])
  })

  test('a message without a place that asks for a slot in use leaves no trace', async (scene) => {
    await scene.acquire('a', two)
    await scene.running('a', two)
    assert.equal((await scene.run('b', two)).outcome, 'slotTaken')
    assert.equal((await scene.store.find('b', KEY)).hold, null)
    assert.equal((await scene.acquire('c', two)).outcome, 'granted', 'its place is free for others')
  })

  test('a slot is free again after a release and after a retry, and while its lock delay runs it is not', async (scene) => {
    for (const id of ['a', 'b']) await scene.acquire(id, two)
    const first = await scene.running('a', two)
    await scene.requeue('a', first, { reason: 'retry' })
    const second = await scene.running('b', two)
    assert.equal((await scene.run('a', { ...two, owner: 'o2' })).outcome, 'slotTaken')
    await scene.advanceTime(LEASE_MS + 20)
    assert.equal((await scene.run('a', { ...two, owner: 'o2' })).outcome, 'slotTaken', 'the lock delay still runs')
    await scene.release('b', second)
    assert.equal((await scene.run('a', { ...two, owner: 'o2' })).outcome, 'granted')
  })

  test('[P6] a redelivery takes any free slot, its own last one among them', async (scene) => {
    await scene.acquire('a', two)
    await scene.running('a', { ...two, owner: 'o1', slot: 1 })
    await scene.advanceTime(LEASE_MS + LOCK_DELAY_MS + 20)
    assert.equal((await scene.run('a', { ...two, owner: 'o2', slot: 1 })).outcome, 'granted')
  })

  test('[P3] tokens grow over all slots', async (scene) => {
    const tokens: number[] = []
    for (const [slot, id] of ['a', 'b', 'c'].entries()) {
      await scene.acquire(id, three)
      tokens.push(await scene.running(id, { ...three, slot }))
    }
    assert.deepEqual(
      [...tokens].sort((a, b) => a - b),
      tokens,
    )
    assert.equal(new Set(tokens).size, 3)
  })

  test('[P4] each run is renewed and released by its own token alone', async (scene) => {
    for (const id of ['a', 'b']) await scene.acquire(id, two)
    const a = await scene.running('a', { ...two, slot: 0 })
    const b = await scene.running('b', { ...two, slot: 1 })
    assert.equal((await scene.release('a', b)).outcome, 'stale')
    assert.equal((await scene.renew('b', b)).outcome, 'renewed')
    assert.equal((await scene.release('b', b)).outcome, 'released')
    assert.equal((await scene.renew('a', a)).outcome, 'renewed')
  })

  test('a place once given is not judged again when others were granted under a higher limit', async (scene) => {
    await scene.acquire('a')
    assert.equal((await scene.acquire('b', two)).outcome, 'granted')
    assert.equal((await scene.run('a')).outcome, 'granted')
  })

  test('[P18] a parked call that is delivered with room for it starts, and does not wait twice', async (scene) => {
    const whenHeld = { do: 'park', capacity: 9, keep: 'all' } as const
    await scene.acquire('a')
    await scene.acquire('b', { whenHeld })
    await scene.acquire('c', { ...two, whenHeld })
    assert.equal((await scene.run('c', two)).outcome, 'granted')
    assert.deepEqual(
      (await scene.store.show(KEY))?.parked.map((call) => call.id),
      ['b'],
    )
  })

  test('[P18] with room for it a newcomer still does not overtake a parked call that allows fewer', async (scene) => {
    await scene.acquire('a')
    await scene.park('b')
    const newcomer = await scene.acquire('c', two)
    assert.ok(newcomer.outcome === 'refused')
    assert.equal(newcomer.holder.id, 'a')
  })

  test('[P18] several parked calls run at once, as many as their limit allows, in order', async (scene) => {
    const whenHeld = { do: 'park', capacity: 9, keep: 'all' } as const
    for (const id of ['a', 'b']) await scene.acquire(id, two)
    for (const id of ['c', 'd', 'e']) assert.equal((await scene.acquire(id, { ...two, whenHeld })).outcome, 'parked')
    for (const [id, next] of [
      ['b', 'c'],
      ['a', 'd'],
    ] as const) {
      const ended = await scene.release(id, null, { outcome: 'revoked' })
      assert.ok(ended.outcome === 'released')
      assert.equal(ended.promotion?.messageId, next)
    }
    assert.equal((await scene.store.find('e', KEY)).parked, true)
  })

  test('the doubt of any holder in the way is told, not only of the first', async (scene) => {
    await scene.acquire('a', two)
    await scene.confirm('a')
    await scene.acquire('b', two)
    await scene.advanceTime(320)
    const refused = await scene.acquire('c', two)
    assert.ok(refused.outcome === 'refused')
    assert.equal(refused.doubt?.messageId, 'b')
  })

  test('[P11] a message that lost its place is covered by any holder that starts after its publish', async (scene) => {
    const now = await scene.store.now()
    for (const id of ['a', 'b']) await scene.acquire(id, two)
    await scene.running('a', two)
    await scene.confirm('b')
    const answer = await scene.run('c', { ...two, slot: 1, publishedAt: now + 60_000 })
    assert.ok(answer.outcome === 'ended')
    assert.deepEqual([answer.record.outcome, answer.record.into], ['coalesced', 'b'])
  })
}
