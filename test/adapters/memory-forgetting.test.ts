import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { memoryServer, openMemory } from '../../adapters/memory/index.js'
import { locksOf } from '../../adapters/memory/server.js'
import { privateKey } from '../../src/lock/key.js'
import type { LockStore } from '../../src/lock/lock-store.js'
import { countTogether } from '../contract/lock-store/counter.js'
import { KEY, refTo, type Scene, sceneOf, TASK, termsOf } from '../contract/lock-store/scene.js'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

function memoryScene(): {
  scene: Scene
  records: () => number
  setTime: (ms: number) => void
  forgetHistory: () => void
} {
  let time = 1_700_000_000_000
  const server = memoryServer(() => time)
  const store = openMemory({ app: 'shop', server }).lockStore
  const advanceTime = async (ms: number): Promise<void> => {
    time += ms
  }
  const scene = sceneOf({ app: 'shop', store, advanceTime, another: async () => store, close: () => store.close() })
  const setTime = (ms: number): void => {
    time = ms
  }
  const forgetHistory = (): void => {
    for (const record of locksOf(server, 'shop').records.values()) record.history.splice(0)
  }
  return { scene, records: () => locksOf(server, 'shop').records.size, setTime, forgetHistory }
}

describe('memory lock store', () => {
  it('[P23] forgets an acknowledged outcome after 10 minutes, and the key with it', async () => {
    const { scene, records } = memoryScene()
    await scene.acquire('a')
    await scene.release('a', await scene.running('a'))
    await scene.store.renew({ worker: null, leases: [], acked: [refTo('a')] })
    await scene.advanceTime(9 * MINUTE_MS)
    await scene.sweep()
    assert.equal((await scene.store.find('a', KEY)).outcome?.outcome, 'ran')
    await scene.advanceTime(2 * MINUTE_MS)
    await scene.sweep()
    assert.equal((await scene.store.find('a', KEY)).outcome, null)
    assert.equal(records(), 0)
  })

  it('keeps an acknowledged outcome as long as its result is to be read', async () => {
    const { scene } = memoryScene()
    await scene.acquire('a')
    await scene.release('a', await scene.running('a'), { resultMs: DAY_MS })
    await scene.store.renew({ worker: null, leases: [], acked: [refTo('a')] })
    await scene.advanceTime(DAY_MS - MINUTE_MS)
    await scene.sweep()
    assert.equal((await scene.store.find('a', KEY)).outcome?.outcome, 'ran')
    await scene.advanceTime(2 * MINUTE_MS)
    await scene.sweep()
    assert.equal((await scene.store.find('a', KEY)).outcome, null)
  })

  it('[P13] keeps an outcome that was never acknowledged for 7 days', async () => {
    const { scene, records } = memoryScene()
    await scene.acquire('a')
    await scene.release('a', await scene.running('a'))
    await scene.advanceTime(7 * DAY_MS - 1)
    await scene.sweep()
    assert.equal((await scene.run('a', { owner: 'o2' })).outcome, 'finished')
    await scene.advanceTime(1)
    await scene.sweep()
    assert.equal(records(), 0)
  })

  it('a key that cools longer than its outcome is kept is held for nobody, not for its old message', async () => {
    const { scene } = memoryScene()
    const terms = termsOf({ mode: 'untilExpired', timeoutMs: 60 * MINUTE_MS })
    await scene.acquire('a', { terms })
    await scene.release('a', await scene.running('a', { terms }))
    await scene.store.renew({ worker: null, leases: [], acked: [refTo('a')] })
    await scene.advanceTime(11 * MINUTE_MS)
    await scene.sweep()
    assert.equal((await scene.acquire('a', { terms })).outcome, 'refused')
  })

  it('[P12] keeps what happened to a hold for 7 days, and then forgets the key', async () => {
    const { scene, records } = memoryScene()
    await scene.acquire('a')
    await scene.clear()
    await scene.advanceTime(7 * DAY_MS - 1)
    await scene.sweep()
    assert.equal((await scene.store.show(KEY))?.history[0]?.event, 'cleared')
    await scene.advanceTime(1)
    await scene.sweep()
    assert.equal(records(), 0)
  })

  it('[P3] a key that was forgotten goes on with higher tokens, also within the same millisecond', async () => {
    const { scene, records, forgetHistory } = memoryScene()
    await scene.acquire('a')
    let last = 0
    for (const owner of ['o1', 'o2', 'o3']) {
      last = await scene.running('a', { owner, maxDeliveries: 9 })
      await scene.requeue('a', last, { maxDeliveries: 9 })
    }
    await scene.clear()
    forgetHistory()
    await scene.sweep()
    assert.equal(records(), 0)
    assert.ok((await scene.running('b')) > last)
  })

  it('[P6] a clock that is set back does not prolong a lease', async () => {
    const { scene, setTime } = memoryScene()
    const before = await scene.store.now()
    await scene.acquire('a')
    const token = await scene.running('a')
    await scene.advanceTime(500)
    assert.equal((await scene.renew('a', token)).outcome, 'lost')
    setTime(before)
    assert.equal((await scene.renew('a', token)).outcome, 'lost')
  })

  it('forgets workers that were not seen for a day', async () => {
    const { scene } = memoryScene()
    const worker = {
      app: 'shop',
      name: 'w1',
      host: 'h',
      pid: 1,
      queues: [],
      tasks: [],
      guards: {},
      version: '0',
      concurrency: 1,
      startedAt: 0,
      seenAt: 0,
    }
    await scene.store.renew({ worker, leases: [], acked: [] })
    await scene.advanceTime(DAY_MS - 1)
    assert.equal((await scene.store.workers({ allApps: false })).length, 1)
    await scene.advanceTime(1)
    assert.equal((await scene.store.workers({ allApps: false })).length, 0)
  })

  it('[P1] the counter test catches a store that awaits between looking and taking', async () => {
    const { scene } = memoryScene()
    const { counted, tokens } = await countTogether([awaitingStore(scene.store)], DAY_MS)
    assert.ok(counted < tokens.length)
  })
})

/** Looks whether the key is held, awaits, and then takes it: the classic bug. */
function awaitingStore(store: LockStore): LockStore {
  let held = false
  const own = (messageId: string) => ({ key: privateKey(TASK, messageId) })
  const broken: Pick<LockStore, 'acquire' | 'advance' | 'release'> = {
    acquire: async (request) => {
      if (held) {
        const holder = { id: 'x', stage: 'queued', worker: null, since: 0, token: null } as const
        return { outcome: 'refused', holder, remainingMs: 1, doubt: null, full: false, now: await store.now() }
      }
      await setImmediate()
      held = true
      return store.acquire({ ...request, ...own(request.messageId) })
    },
    advance: ((step: Parameters<LockStore['advance']>[0]) =>
      store.advance({ ...step, ...own(step.messageId) } as never)) as LockStore['advance'],
    release: (request) => {
      held = false
      return store.release({ ...request, ...own(request.messageId) })
    },
  }
  return broken as LockStore
}
