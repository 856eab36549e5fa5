import assert from 'node:assert/strict'
import { messageText, PUBLISH_LEASE_MS, type SceneTest, termsOf } from './scene.js'

const queue = { whenHeld: { do: 'park', capacity: 2, keep: 'all' } } as const
const latest = { whenHeld: { do: 'park', capacity: 1, keep: 'latest' } } as const

/** Parked calls beyond the first: `queue`, and `defer` that keeps the latest arguments. */
export function parkContract(test: SceneTest): void {
  test('[P18] a call that finds all places of a queue taken is refused loudly, and stored nowhere', async (scene) => {
    await scene.acquire('a')
    for (const id of ['b', 'c']) assert.equal((await scene.acquire(id, queue)).outcome, 'parked')
    const full = await scene.acquire('d', queue)
    assert.ok(full.outcome === 'refused')
    assert.equal(full.full, true)
    assert.equal(full.holder.id, 'a')
    assert.equal((await scene.store.find('d', null)).outcome, null)
    const refused = await scene.acquire('d')
    assert.ok(refused.outcome === 'refused')
    assert.equal(refused.full, false)
  })

  test("[P18] keep 'latest': the parked call keeps its id and place and takes the newer call's message", async (scene) => {
    await scene.acquire('a')
    assert.equal((await scene.acquire('b', latest)).outcome, 'parked')
    const newer = await scene.acquire('c', latest)
    assert.ok(newer.outcome === 'coalesced')
    assert.equal(newer.into, 'b')
    const ended = await scene.release('a', null, { outcome: 'revoked' })
    assert.ok(ended.outcome === 'released')
    assert.equal(ended.promotion?.messageId, 'b')
    assert.equal(ended.promotion.message, messageText('c'))
  })

  test("keep 'first': the parked call keeps its own message", async (scene) => {
    await scene.acquire('a')
    await scene.park('b')
    assert.equal((await scene.park('c')).outcome, 'coalesced')
    const ended = await scene.release('a', null, { outcome: 'revoked' })
    assert.ok(ended.outcome === 'released')
    assert.equal(ended.promotion?.message, messageText('b'))
  })

  test("[P10] keep 'latest': the newer call's own expiry counts", async (scene) => {
    await scene.acquire('a')
    const expiresAt = (await scene.store.now()) + 100
    await scene.acquire('b', { ...latest, terms: termsOf({ expiresAt }) })
    await scene.acquire('c', latest)
    await scene.advanceTime(120)
    const ended = await scene.release('a', null, { outcome: 'revoked' })
    assert.ok(ended.outcome === 'released')
    assert.equal(ended.promotion?.messageId, 'b')
  })

  test("[P21] keep 'latest': asking again changes nothing, neither for the parked call nor for the newer", async (scene) => {
    await scene.acquire('a')
    await scene.acquire('b', latest)
    await scene.acquire('c', latest)
    await scene.acquire('d', latest)
    assert.equal((await scene.acquire('c', latest)).outcome, 'coalesced')
    assert.equal((await scene.acquire('b', latest)).outcome, 'parked')
    const ended = await scene.release('a', null, { outcome: 'revoked' })
    assert.ok(ended.outcome === 'released')
    assert.equal(ended.promotion?.message, messageText('d'))
    await scene.advanceTime(PUBLISH_LEASE_MS + 20)
    const { promotions } = await scene.sweep()
    assert.equal(promotions[0]?.message, messageText('d'), 'a sweeper publishes the same')
  })
}
