import assert from 'node:assert/strict'
import type { SharedStore } from '../../../src/lock/shared.js'
import type { SceneTest } from './scene.js'

/** Small values that an app's processes share. */
export function sharedContract(test: SceneTest): void {
  test('a value is read as it was written, by every process, and gone when deleted', async ({ store, another }) => {
    const { shared } = store
    const value = JSON.stringify({ '': 'ü \u0000 "quoted" 🦉 \\', n: [1, null] })
    const key = 'a key: {with} *, % and ü'
    assert.equal(await shared.get(key), null)
    assert.equal(await shared.ttl(key), null)
    await shared.set({ requestId: 'r1', key, value, ttlMs: null })
    const other = (await another()).shared
    assert.equal(await other.get(key), value)
    assert.equal(await other.ttl(key), 'forever')
    assert.equal(await other.delete({ requestId: 'r2', key }), true)
    assert.equal(await other.delete({ requestId: 'r3', key }), false)
    assert.equal(await shared.get(key), null)
  })

  test('of many that compare and set at once one succeeds', async ({ store, another }) => {
    const stores = [store, await another(), await another()]
    const race = async (round: string, expected: string | null) => {
      const racers = stores.flatMap(({ shared }, by) =>
        Array.from({ length: 5 }, (_, at) => {
          const value = JSON.stringify([round, by, at])
          return shared.compareAndSet({ requestId: `${round}-${by}-${at}`, key: 'flag', expected, value, ttlMs: null })
        }),
      )
      assert.equal((await Promise.all(racers)).filter(Boolean).length, 1, round)
      return store.shared.get('flag')
    }
    const first = await race('first', null)
    assert.notEqual(await race('second', first), first)
  })

  test('increments of many are added up, and each hears a sum of its own', async ({ store, another }) => {
    const stores = [store, await another(), await another()]
    const adding = stores.flatMap(({ shared }, by) =>
      Array.from({ length: 20 }, (_, at) =>
        shared.increment({ requestId: `${by}-${at}`, key: 'n', by: 1, ttlMs: null }),
      ),
    )
    const sums = (await Promise.all(adding)).map((answer) =>
      answer.outcome === 'increased' ? answer.value : Number.NaN,
    )
    assert.deepEqual(
      sums.sort((a, b) => a - b),
      Array.from({ length: 60 }, (_, at) => at + 1),
    )
    assert.equal(await store.shared.get('n'), '60')
  })

  test('[P21] a step that is repeated after a lost reply acts once and hears the same', async ({ store }) => {
    const { shared } = store
    const twice = async <A>(step: () => Promise<A>): Promise<A> => {
      const answer = await step()
      assert.deepEqual(await step(), answer)
      return answer
    }
    await twice(() => shared.increment({ requestId: 'r1', key: 'n', by: 2, ttlMs: null }))
    assert.equal(await shared.get('n'), '2')
    const swap = { key: 'f', value: '1', ttlMs: null, expected: null }
    assert.equal(await twice(() => shared.compareAndSet({ requestId: 'r2', ...swap })), true)
    assert.equal(await shared.compareAndSet({ requestId: 'r3', ...swap }), false)
    assert.equal(await twice(() => shared.delete({ requestId: 'r4', key: 'f' })), true)
    const write = { requestId: 'r5', key: 'f', value: '"old"', ttlMs: null }
    await shared.set(write)
    await shared.set({ ...write, requestId: 'r6', value: '"new"' })
    await shared.set(write)
    assert.equal(await shared.get('f'), '"new"')
  })

  test('a value whose time is over is as if it was never there, for every verb', async ({ store, advanceTime }) => {
    const { shared } = store
    const names = ['read', 'deleted', 'swapped', 'counted']
    for (const [at, key] of names.entries()) await shared.set({ requestId: `r${at}`, key, value: '7', ttlMs: 200 })
    await advanceTime(250)
    assert.equal(await shared.get('read'), null)
    assert.equal(await shared.ttl('read'), null)
    assert.equal(await shared.delete({ requestId: 'd', key: 'deleted' }), false)
    const swap = { key: 'swapped', value: '8', ttlMs: null }
    assert.equal(await shared.compareAndSet({ requestId: 's1', ...swap, expected: '7' }), false)
    assert.equal(await shared.compareAndSet({ requestId: 's2', ...swap, expected: null }), true)
    assert.deepEqual(await shared.increment({ requestId: 'i', key: 'counted', by: 1, ttlMs: null }), {
      outcome: 'increased',
      value: 1,
    })
    assert.equal(await shared.ttl('counted'), 'forever')
  })

  test('a counter keeps the time that it was made with; a write sets its own', async ({ store }) => {
    const { shared } = store
    const increase = { key: 'n', by: 1 }
    await shared.increment({ requestId: 'r1', ...increase, ttlMs: 60_000 })
    await shared.increment({ requestId: 'r2', ...increase, ttlMs: 600_000 })
    await shared.increment({ requestId: 'r3', ...increase, ttlMs: null })
    const left = await shared.ttl('n')
    assert.ok(typeof left === 'number' && left > 1_000 && left <= 60_000, `left: ${left}`)
    await shared.set({ requestId: 'r4', key: 'n', value: '1', ttlMs: null })
    assert.equal(await shared.ttl('n'), 'forever')
  })

  test('what is no whole number, or would become too large, is left as it is', async ({ store }) => {
    const { shared } = store
    const largest = Number.MAX_SAFE_INTEGER
    const cases = { '"7"': 'no number', '1.5': 'no number', '[1]': 'no number', [largest]: 'too large' }
    for (const [value, outcome] of Object.entries(cases)) {
      await shared.set({ requestId: `w${value}`, key: 'n', value, ttlMs: null })
      assert.deepEqual(await shared.increment({ requestId: `i${value}`, key: 'n', by: 1, ttlMs: null }), { outcome })
      assert.equal(await shared.get('n'), value)
    }
    const less = await shared.increment({ requestId: 'less', key: 'n', by: -largest - 5, ttlMs: null })
    assert.deepEqual(less, { outcome: 'increased', value: -5 })
  })

  test('apps do not see each other’s values, and one that is destroyed has none', async (scene) => {
    const other = await scene.another(`${scene.app}-b`)
    const both: SharedStore[] = [scene.store.shared, other.shared]
    for (const [at, shared] of both.entries())
      await shared.set({ requestId: 'r', key: 'k', value: String(at), ttlMs: null })
    assert.deepEqual(await Promise.all(both.map((shared) => shared.get('k'))), ['0', '1'])
    await other.destroy()
    assert.deepEqual(await Promise.all(both.map((shared) => shared.get('k'))), ['0', null])
  })
}
