import assert from 'node:assert/strict'
import type { CounterStore } from '../../../src/lock/counter.js'
import type { SceneTest } from './scene.js'

/** What all processes counted together. */
export function counterTotalsContract(test: SceneTest): void {
  test('counts of many are added up by task and name', async ({ store, another }) => {
    const stores = [store, await another(), await another()]
    const adding = stores.flatMap(({ counts }, by) =>
      Array.from({ length: 10 }, (_, at) =>
        counts.add(`${by}-${at}`, [
          { task: 'a', name: 'ran', n: 2 },
          { task: 'a', name: 'skipped', n: 1 },
          { task: 'b.c', name: 'ran', n: at },
        ]),
      ),
    )
    await Promise.all(adding)
    assert.deepEqual(await totals(store.counts), ['a ran 60', 'a skipped 30', 'b.c ran 135'])
  })

  test('[P21] a request that is repeated after a lost reply counts once', async ({ store }) => {
    for (let times = 0; times < 2; times += 1) await store.counts.add('r1', [{ task: 'a', name: 'ran', n: 2 }])
    assert.deepEqual(await totals(store.counts), ['a ran 2'])
  })

  test('counts of several apps are told apart, and forgotten with their app', async (scene) => {
    const other = await scene.another(`${scene.app}-b`)
    await scene.store.counts.add('r1', [{ task: 'a', name: 'ran', n: 1 }])
    await other.counts.add('r1', [{ task: 'a', name: 'ran', n: 5 }])
    const all = (await scene.store.counts.read({ allApps: true })).filter(({ app }) => app.startsWith(scene.app))
    assert.deepEqual(all.map(({ app, n }) => [app, n]).sort(), [
      [scene.app, 1],
      [`${scene.app}-b`, 5],
    ])
    await other.destroy()
    assert.deepEqual(await totals(other.counts), [])
    assert.deepEqual(await totals(scene.store.counts), ['a ran 1'])
  })
}

async function totals(counts: CounterStore): Promise<string[]> {
  return (await counts.read({ allApps: false })).map(({ task, name, n }) => `${task} ${name} ${n}`).sort()
}
