import assert from 'node:assert/strict'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { privateKey } from '../../../src/lock/key.js'
import type { LockStore } from '../../../src/lock/lock-store.js'
import { acquiring, PUBLISH_LEASE_MS, releasing, runStep, type SceneTest, TASK } from './scene.js'

const CONTENDERS = 8
const ROUNDS = 12
/** Nothing may expire here: who waits long on a busy machine must not look like a broken store. */
const LONG_MS = 60_000

/**
 * The counter test: contenders take one key in turn and each reads, waits, and writes back one more. The sum is exact
 * only if no two of them were inside at once.
 */
export function counterContract(test: SceneTest): void {
  test('[P1] eight contenders over several instances never lose an unsynchronised increment', async (scene) => {
    const stores = [scene.store, await scene.another(), await scene.another(), await scene.another()]
    const { counted, tokens } = await countTogether(stores, LONG_MS)
    assert.equal(counted, CONTENDERS * ROUNDS)
    assert.deepEqual(
      tokens,
      [...tokens].sort((a, b) => a - b),
      '[P3] in the order of entering',
    )
    assert.equal(new Set(tokens).size, tokens.length)
  })

  test('the counter test catches a store that grants a held key', async (scene) => {
    const { counted } = await countTogether([unlocked(scene.store)], LONG_MS)
    assert.ok(counted < CONTENDERS * ROUNDS)
  })
}

/** Runs the contenders to their end: what they counted together, and the tokens in the order of entering. */
export async function countTogether(
  stores: readonly LockStore[],
  leaseMs: number,
): Promise<{ counted: number; tokens: readonly number[] }> {
  let counted = 0
  const tokens: number[] = []
  const increment = async (token: number): Promise<void> => {
    tokens.push(token)
    const read = counted
    await setImmediate()
    await setImmediate()
    counted = read + 1
  }
  const contender = async (n: number): Promise<void> => {
    const store = stores[n % stores.length] as LockStore
    for (let round = 0; round < ROUNDS; round += 1) await once(store, `c${n}-${round}`, leaseMs, increment)
  }
  await Promise.all(Array.from({ length: CONTENDERS }, (_, n) => contender(n)))
  return { counted, tokens }
}

async function once(
  store: LockStore,
  id: string,
  leaseMs: number,
  body: (token: number) => Promise<void>,
): Promise<void> {
  const asking = acquiring(id, { publishLeaseMs: PUBLISH_LEASE_MS + leaseMs })
  while ((await store.acquire(asking)).outcome !== 'granted') await sleep(1 + Math.random() * 3)
  const run = await store.advance(runStep(id, { leaseMs }))
  assert.ok(run.outcome === 'granted')
  await body(run.token)
  assert.equal((await store.release(releasing(id, run.token))).outcome, 'released')
}

/** A store broken on purpose: every message has a key of its own. */
function unlocked(store: LockStore): LockStore {
  const own = (messageId: string) => ({ key: privateKey(TASK, messageId) })
  const broken: Pick<LockStore, 'acquire' | 'advance' | 'release'> = {
    acquire: (request) => store.acquire({ ...request, ...own(request.messageId) }),
    advance: ((step: Parameters<LockStore['advance']>[0]) =>
      store.advance({ ...step, ...own(step.messageId) } as never)) as LockStore['advance'],
    release: (request) => store.release({ ...request, ...own(request.messageId) }),
  }
  return broken as LockStore
}
