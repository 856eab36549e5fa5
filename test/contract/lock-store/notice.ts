import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { lockKey } from '../../../src/lock/key.js'
import type { LockStore } from '../../../src/lock/lock-store.js'
import type { Topic } from '../../../src/lock/notice.js'
import { workerRow } from './directory.js'
import { KEY, type Scene, type SceneTest, TASK, termsOf } from './scene.js'

const pair = { terms: termsOf({ limit: 2 }) }
const inLine = { whenHeld: { do: 'park', capacity: 9, keep: 'all' } } as const

export function noticeContract(test: SceneTest): void {
  test('[P7] a worker is told at once when a run of its own is to stop, by clear, revoke or replace, or dropped', async (scene) => {
    for (const [id, cancel] of Object.entries({
      cleared: () => scene.clear({ running: 'cancel' }),
      dropped: () => scene.clear({ running: 'drop' }),
      revoked: () => scene.revoke('revoked', { terminate: true }),
      replaced: () => scene.acquire('newer', { whenHeld: { do: 'replace', minRunMs: 0 } }),
    })) {
      await scene.acquire(id)
      const token = await scene.running(id, { worker: 'w1@host' })
      const heard = await hearing(await scene.another(), ['worker:w1@host', 'worker:w2@host'])
      await cancel()
      await heard.toldOf('worker:w1@host')
      await settled(scene, heard)
      assert.deepEqual(heard.counts(), { 'worker:w1@host': 1 }, id)
      await scene.release(id, token)
      if (id === 'replaced') await scene.release('newer', null)
    }
  })

  test('[P19] one release tells the one waiter whose turn it is, and no other', async (scene) => {
    await scene.acquire('a')
    const token = await scene.running('a')
    for (const id of ['b', 'c', 'd']) await scene.acquire(id, inLine)
    const heard = await hearing(await scene.another(), ['message:b', 'message:c', 'message:d', 'due'])
    await scene.release('a', token)
    await settled(scene, heard)
    assert.deepEqual(heard.counts(), { 'message:b': 1 }, 'the answer carries the promotion: no sweep is called for')
    await scene.release('b', null)
    await settled(scene, heard)
    assert.deepEqual(heard.counts(), { 'message:b': 2, 'message:c': 1 })
  })

  test('whoever waits for a message is told of its end, however it ended', async (scene) => {
    const heard = await hearing(await scene.another(), ['message:a', 'message:b', 'message:c'])
    await scene.acquire('a')
    await scene.acquire('b', inLine)
    await scene.release('a', await scene.running('a'))
    await heard.toldOf('message:a')
    await scene.revoke('b')
    await scene.revoke('c')
    await heard.toldOf('message:c')
    assert.ok((heard.counts()['message:b'] ?? 0) >= 1)
  })

  test('a sweep is called for where more turns are given than the answer carries', async (scene) => {
    for (const id of ['a', 'b', 'c', 'd']) await scene.acquire(id, { ...inLine, ...pair })
    const heard = await hearing(await scene.another(), ['due'])
    assert.equal((await scene.clear()).promotion?.messageId, 'c')
    await heard.toldOf('due')
    assert.deepEqual(
      (await scene.sweep()).promotions.map((each) => each.messageId),
      ['d'],
    )
    await settled(scene, heard)
    assert.deepEqual(heard.counts(), { due: 1 }, 'what a sweep hands out itself calls for none')
  })

  test('a sweep is called for where a call finds that a turn has come', async (scene) => {
    await scene.acquire('a', { terms: termsOf({ timeoutMs: 50 }) })
    await scene.confirm('a')
    await scene.park('b')
    const heard = await hearing(await scene.another(), ['due', 'message:b'])
    await scene.advanceTime(60)
    await scene.acquire('c')
    await heard.toldOf('due')
    assert.deepEqual(heard.counts(), { due: 1, 'message:b': 1 })
  })

  test('a worker that is seen for the first time is told of, and one that leaves', async (scene) => {
    const heard = await hearing(await scene.another(), ['workers'])
    const alive = () => scene.store.renew({ worker: workerRow(scene.app, 'w1'), leases: [], acked: [] })
    await alive()
    await heard.toldOf('workers')
    await alive()
    await scene.store.leave('nobody')
    await settled(scene, heard)
    assert.deepEqual(heard.counts(), { workers: 1 })
    await scene.store.leave('w1')
    await settled(scene, heard)
    assert.deepEqual(heard.counts(), { workers: 2 })
  })

  test('who stopped listening is told nothing, and an app nothing of another', async (scene) => {
    const other = await hearing(await scene.another(`${scene.app}-2`), ['message:a'])
    const heard = await hearing(await scene.another(), ['message:a'])
    const stopped = await hearing(await scene.another(), ['message:a'])
    stopped.stop()
    await scene.revoke('a')
    await heard.toldOf('message:a')
    await settled(scene, heard)
    assert.deepEqual([other.counts(), stopped.counts()], [{}, {}])
  })

  test('a message that ended before is looked for as soon as one listens', async (scene) => {
    await scene.revoke('a')
    const store = await scene.another()
    let found: string | undefined
    const stop = store.listen('message:a', async () => {
      found ??= (await store.find('a', KEY)).outcome?.outcome
    })
    await until(() => found !== undefined, 'the first look')
    assert.equal(found, 'revoked')
    stop()
  })
}

interface Heard {
  readonly store: LockStore
  /** How often each topic was told of, since hearing began. */
  counts(): Partial<Record<Topic, number>>
  toldOf(topic: Topic): Promise<void>
  stop(): void
}

/** Listens, and waits until it hears. */
async function hearing(store: LockStore, topics: readonly Topic[]): Promise<Heard> {
  const counts = new Map<Topic, number>(topics.map((topic) => [topic, -1]))
  const stops = topics.map((topic) => store.listen(topic, () => counts.set(topic, (counts.get(topic) ?? 0) + 1)))
  await until(() => [...counts.values()].every((count) => count >= 0), 'everyone to hear')
  return {
    store,
    counts: () => Object.fromEntries([...counts].filter(([, count]) => count > 0)),
    toldOf: async (topic) => {
      await until(() => (counts.get(topic) ?? 0) > 0, `a notice of ${topic}`)
    },
    stop: () => {
      for (const stop of stops) stop()
    },
  }
}

/** Whatever was told before this has come by now: notices keep their order. */
async function settled(scene: Scene, { store }: Heard): Promise<void> {
  const id = `sentinel-${Math.random()}`
  const last = await hearing(store, [`message:${id}`])
  await scene.revoke(id, { key: lockKey(TASK, '[elsewhere]') })
  await last.toldOf(`message:${id}`)
  last.stop()
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const end = performance.now() + 5_000; !condition(); await sleep(5)) {
    assert.ok(performance.now() < end, `waited 5 s for ${what}`)
  }
}
