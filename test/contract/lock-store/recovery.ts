import assert from 'node:assert/strict'
import type { RunAnswer } from '../../../src/lock/message-step.js'
import type { Renewal } from '../../../src/lock/renewal.js'
import type { TestKit } from '../kit.js'
import { LEASE_MS, LOCK_DELAY_MS, type LosingBench, runStep, type Scene, sceneOf, termsOf } from './scene.js'

const GRACE_MS = LEASE_MS + LOCK_DELAY_MS

type LosingScene = Scene & LosingBench

/**
 * What a store must do after it lost its data: start nothing until the longest lease and its lock delay are over, while
 * runs that outlived the loss have their holds again as they renew.
 */
export function lockStoreRecoveryContract(kit: TestKit, open: () => Promise<LosingBench>): void {
  const test = (title: string, body: (scene: LosingScene) => Promise<void>): unknown =>
    kit.it(title, async () => {
      const bench = await open()
      try {
        await body({ ...sceneOf(bench), lose: bench.lose })
      } finally {
        await bench.close()
      }
    })
  kit.describe('lock store recovery contract', () => {
    withheldStarts(test)
    heldAgain(test)
    endings(test)
  })
}

type Test = (title: string, body: (scene: LosingScene) => Promise<void>) => unknown

/** Sure that a server whose data is gone has been looked at, and knows the lease that others may have. */
async function lost(scene: LosingScene): Promise<void> {
  await scene.lose()
  await scene.sweep()
}

function withheldStarts(test: Test): void {
  test('[P2] [P3] nothing starts for as long as a lost lease may be trusted; then tokens go on higher', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    await lost(scene)
    assert.equal((await scene.acquire('b')).outcome, 'granted', 'publishes go on')
    const withheld = await scene.run('b')
    assert.ok(withheld.outcome === 'recovering')
    assert.ok(withheld.remainingMs > 0 && withheld.remainingMs <= GRACE_MS)
    assert.ok(((await scene.sweep()).recoveringMs ?? 0) > 0)
    await scene.advanceTime(withheld.remainingMs)
    assert.ok((await scene.running('b')) > token)
    assert.equal((await scene.sweep()).recoveringMs, undefined)
  })

  test('a delivery that found no hold has its own again, and keeps it until it starts', async (scene) => {
    await scene.running('z')
    await lost(scene)
    const first = await scene.run('a')
    assert.ok(first.outcome === 'recovering')
    assert.equal((await scene.store.find('a', null)).hold?.stage, 'queued')
    assert.equal((await scene.acquire('b')).outcome, 'refused')
    assert.equal((await scene.run('c', { whenHeld: 'skip' })).outcome, 'ended')
    await scene.advanceTime(first.remainingMs)
    assert.equal((await scene.run('a')).outcome, 'granted')
  })

  test('a message that has no place before it runs leaves no trace while it waits', async (scene) => {
    await scene.running('z')
    await lost(scene)
    const terms = termsOf({ mode: 'whileExecuting' })
    assert.equal((await scene.run('a', { terms })).outcome, 'recovering')
    assert.equal((await scene.store.find('a', null)).hold, null)
  })
}

/** What a run of these terms, just granted, claims with its renewal. */
function claimOf(answer: RunAnswer, messageId: string, over: Partial<Renewal['claim']> = {}): Partial<Renewal> {
  assert.ok(answer.outcome === 'granted')
  const { round, terms, owner, worker, barrier, slot, lockDelayMs } = runStep(messageId)
  const { deliveries, retries } = answer
  return { claim: { round, terms, owner, worker, barrier, slot, lockDelayMs, deliveries, retries, ...over } }
}

async function held(scene: Scene, id: string): Promise<{ token: number; claim: Partial<Renewal> }> {
  const answer = await scene.run(id)
  assert.ok(answer.outcome === 'granted')
  return { token: answer.token, claim: claimOf(answer, id) }
}

function heldAgain(test: Test): void {
  test('[P1] [P2] a run that renews has its hold again, and keeps it against all who came since', async (scene) => {
    const { token, claim } = await held(scene, 'a')
    await lost(scene)
    await scene.acquire('b')
    await scene.park('c')
    assert.equal((await scene.renew('a', token, claim)).outcome, 'renewed')
    const view = await scene.store.show(runStep('a').key)
    assert.deepEqual(
      view?.rows.map(({ holder, stage, token: of, worker }) => [holder, stage, of, worker]),
      [['a', 'running', token, 'w1@host']],
    )
    assert.deepEqual(
      view?.parked.map(({ id }) => id),
      ['c'],
    )
    assert.equal(view?.history[0]?.event, 'displaced')
    await scene.advanceTime(LEASE_MS - 100)
    assert.equal((await scene.renew('a', token, claim)).outcome, 'renewed')
    await scene.advanceTime(LEASE_MS - 100)
    assert.equal((await scene.run('b', { whenHeld: 'wait' })).outcome, 'refused', 'the grace is over, the run is not')
    const released = await scene.release('a', token)
    assert.ok(released.outcome === 'released')
    assert.equal(released.promotion?.messageId, 'c')
  })

  test('a run whose own message was delivered again meanwhile takes its place back', async (scene) => {
    const { token, claim } = await held(scene, 'a')
    await lost(scene)
    assert.equal((await scene.run('a', { owner: 'o2' })).outcome, 'recovering')
    assert.equal((await scene.renew('a', token, claim)).outcome, 'renewed')
    assert.equal((await scene.run('a', { owner: 'o2' })).outcome, 'refused')
  })

  test('[P4] a higher token displaces a lower one, which is told that it is lost', async (scene) => {
    const low = await held(scene, 'a')
    await scene.release('a', low.token)
    const high = await held(scene, 'b')
    await lost(scene)
    assert.equal((await scene.renew('a', low.token, low.claim)).outcome, 'renewed')
    assert.equal((await scene.renew('b', high.token, high.claim)).outcome, 'renewed')
    assert.equal((await scene.renew('a', low.token, low.claim)).outcome, 'lost')
    assert.equal((await scene.renew('b', high.token, high.claim)).outcome, 'renewed')
  })

  test('[P4] a lower token finds a higher one there: taken', async (scene) => {
    const low = await held(scene, 'a')
    await scene.release('a', low.token)
    const high = await held(scene, 'b')
    await lost(scene)
    assert.equal((await scene.renew('b', high.token, high.claim)).outcome, 'renewed')
    assert.deepEqual(await scene.renew('a', low.token, low.claim), { outcome: 'lost', reason: 'taken' })
  })

  test('[P6] once the grace is over no lost hold comes back, nor one that its claim is missing of', async (scene) => {
    const { token, claim } = await held(scene, 'a')
    await lost(scene)
    assert.deepEqual(await scene.renew('a', token), { outcome: 'lost', reason: 'ended' })
    const withheld = await scene.run('b')
    assert.ok(withheld.outcome === 'recovering')
    await scene.advanceTime(withheld.remainingMs)
    assert.deepEqual(await scene.renew('a', token, claim), { outcome: 'lost', reason: 'ended' })
  })

  test('[P4] what was cleared, given back or ended since is not held again', async (scene) => {
    const { token, claim } = await held(scene, 'a')
    await lost(scene)
    assert.equal((await scene.renew('a', token, claim)).outcome, 'renewed')
    await scene.requeue('a', token)
    assert.deepEqual(await scene.renew('a', token, claim), { outcome: 'lost', reason: 'ended' })
    await scene.clear()
    assert.deepEqual(await scene.renew('a', token, claim), { outcome: 'lost', reason: 'ended' })
    await scene.release('a', null, { outcome: 'expired' })
    assert.deepEqual(await scene.renew('a', token, claim), { outcome: 'lost', reason: 'ended' })
  })

  test('[P1] of runs beside each other each has its own place again, and no more than there are', async (scene) => {
    const terms = termsOf({ limit: 2 })
    const runs = []
    for (const slot of [0, 1]) {
      const answer = await scene.run(`m${slot}`, { terms, slot })
      assert.ok(answer.outcome === 'granted')
      runs.push({ id: `m${slot}`, token: answer.token, over: claimOf(answer, `m${slot}`, { terms, slot }) })
    }
    await lost(scene)
    await scene.acquire('b', { terms })
    for (const { id, token, over } of runs) assert.equal((await scene.renew(id, token, over)).outcome, 'renewed')
    const view = await scene.store.show(runStep('b').key)
    assert.deepEqual(view?.rows.map(({ holder }) => holder).sort(), ['m0', 'm1'])
  })
}

function endings(test: Test): void {
  test('[P10] a run that ends before it renewed has its outcome written down all the same', async (scene) => {
    const { token } = await held(scene, 'a')
    await lost(scene)
    // Whoever wants to start next tells how long starts are withheld.
    assert.equal((await scene.run('b')).outcome, 'recovering')
    const answer = await scene.release('a', token)
    assert.ok(answer.outcome === 'released')
    assert.equal(answer.record.token, token)
    assert.equal((await scene.store.find('a', null)).outcome?.outcome, 'ran')
    assert.equal((await scene.run('a', { owner: 'o2' })).outcome, 'finished')
  })

  test('[P13] a run that ends before it renewed is written down also where a redelivery has its place', async (scene) => {
    const { token } = await held(scene, 'a')
    await lost(scene)
    assert.equal((await scene.run('a', { owner: 'o2' })).outcome, 'recovering')
    const answer = await scene.release('a', token)
    assert.ok(answer.outcome === 'released')
    assert.deepEqual([answer.record.outcome, answer.record.token], ['ran', token])
    assert.equal((await scene.run('a', { owner: 'o2' })).outcome, 'finished')
    assert.equal((await scene.acquire('b')).outcome, 'granted')
  })

  test('[P4] a run that was overtaken by as many as the key allows ends nothing', async (scene) => {
    const low = await held(scene, 'a')
    await scene.requeue('a', low.token)
    await scene.release('a', null, { outcome: 'expired' })
    const high = await held(scene, 'b')
    await lost(scene)
    assert.equal((await scene.renew('b', high.token, high.claim)).outcome, 'renewed')
    assert.equal((await scene.release('a', low.token)).outcome, 'stale')
  })
}
