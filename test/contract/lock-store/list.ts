import assert from 'node:assert/strict'
import { lockKey, privateKey } from '../../../src/lock/key.js'
import type { LockStore } from '../../../src/lock/lock-store.js'
import type { ListQuery, LockRow } from '../../../src/lock/lock-view.js'
import { acquiring, KEY, LEASE_MS, refTo, runStep, type SceneTest, TASK, termsOf } from './scene.js'

const MANY = 2_500

/** What operators see. */
export function listContract(test: SceneTest): void {
  test('a row tells all about a holder', async (scene) => {
    await scene.acquire('a')
    await scene.park('b')
    const token = await scene.running('a')
    const [row, ...rest] = await rowsOf(scene.store)
    assert.ok(row)
    assert.deepEqual(rest, [])
    const { now, acquiredAt, expiresAt, ...facts } = row
    assert.ok(acquiredAt !== null && acquiredAt <= now)
    assert.ok(expiresAt !== null && expiresAt > now && expiresAt <= now + LEASE_MS)
    assert.deepEqual(facts, {
      app: scene.app,
      key: KEY,
      task: TASK,
      label: termsOf().label,
      stage: 'running',
      holder: 'a',
      round: 1,
      token,
      worker: 'w1@host',
      queue: 'default',
      barrier: 'none',
      barrierHeld: false,
      cancelledBy: null,
      cancelledHow: null,
      parked: 1,
      limit: 1,
    })
  })

  test('a row of a queued call names no token and no worker, also after a retry', async (scene) => {
    await scene.acquire('a')
    await scene.requeue('a', await scene.running('a'), { reason: 'retry' })
    const [row] = await rowsOf(scene.store)
    assert.deepEqual([row?.stage, row?.token, row?.worker], ['queued', null, null])
  })

  test('thousands of locks are listed in key order, each once', async (scene) => {
    const keys = Array.from({ length: MANY }, (_, n) => lockKey(TASK, `[${n}]`))
    for (let at = 0; at < MANY; at += 100) {
      const page = keys.slice(at, at + 100)
      await Promise.all(page.map((key, n) => scene.store.acquire(acquiring(`m${at + n}`, { key }))))
    }
    const listed = (await rowsOf(scene.store)).map((row) => row.key)
    assert.deepEqual(listed, [...keys].sort(byCodeUnit))
  })

  test('a reader may stop after the first rows', async (scene) => {
    for (let n = 0; n < 5; n += 1) await scene.acquire(`m${n}`, { key: lockKey(TASK, `[${n}]`) })
    const seen: string[] = []
    for await (const row of scene.store.list({})) {
      seen.push(row.key)
      if (seen.length === 2) break
    }
    assert.equal(seen.length, 2)
    assert.equal((await rowsOf(scene.store)).length, 5)
  })

  test('rows are filtered by task, stage and age', async (scene) => {
    const other = lockKey('other.task', '[]')
    await scene.acquire('a')
    await scene.confirm('a')
    await scene.advanceTime(300)
    await scene.acquire('b', { key: other, terms: termsOf({ task: 'other.task' }) })
    const ids = async (query: ListQuery): Promise<(string | null)[]> =>
      (await rowsOf(scene.store, query)).map((row) => row.holder)
    assert.deepEqual(await ids({ task: 'other.task' }), ['b'])
    assert.deepEqual(await ids({ task: 'other' }), [])
    assert.deepEqual(await ids({ stage: 'queued' }), ['a'])
    assert.deepEqual(await ids({ stage: 'running' }), [])
    assert.deepEqual(await ids({ olderThanMs: 200 }), ['a'])
    assert.deepEqual(await ids({ task: TASK, stage: 'publishing' }), [])
  })

  test('the private keys of calls without a lock are not listed', async (scene) => {
    const key = privateKey(TASK, 'a')
    const terms = termsOf({ guarded: false })
    assert.equal((await scene.run('a', { key, terms })).outcome, 'granted')
    assert.deepEqual(await rowsOf(scene.store), [])
    assert.equal((await scene.store.find('a', key)).hold?.stage, 'running')
  })

  test('ended holds and outcomes are not listed', async (scene) => {
    await scene.acquire('a')
    await scene.release('a', await scene.running('a'))
    assert.deepEqual(await rowsOf(scene.store), [])
  })

  test("apps do not see each other's locks unless all are asked for", async (scene) => {
    const name = `${scene.app}-other`
    const other = await scene.another(name)
    try {
      await scene.acquire('a')
      assert.equal((await other.acquire(acquiring('b'))).outcome, 'granted', 'the same key of another app is free')
      assert.deepEqual(
        (await rowsOf(scene.store)).map((row) => row.holder),
        ['a'],
      )
      const all = (await rowsOf(scene.store, { allApps: true })).filter((row) => row.app.startsWith(scene.app))
      assert.deepEqual(all.map((row) => [row.app, row.holder]).sort(), [
        [scene.app, 'a'],
        [name, 'b'],
      ])
    } finally {
      await other.destroy()
    }
  })

  test('show tells holders, parked calls and outcomes, the newest first; of a key nobody used, null', async (scene) => {
    await scene.acquire('a')
    await scene.release('a', await scene.running('a'))
    await scene.advanceTime(5)
    await scene.acquire('b')
    await scene.release('b', await scene.running('b'), { outcome: 'failed' })
    await scene.acquire('c')
    await scene.park('d')
    const view = await scene.store.show(KEY)
    assert.deepEqual(
      view?.rows.map((row) => row.holder),
      ['c'],
    )
    assert.deepEqual(
      view?.parked.map((call) => call.id),
      ['d'],
    )
    assert.deepEqual(
      view?.outcomes.map((each) => [each.messageId, each.outcome]),
      [
        ['b', 'failed'],
        ['a', 'ran'],
      ],
    )
    assert.equal(await scene.store.show(lockKey(TASK, '[404]')), null)
  })

  test('show tells at most the 20 newest outcomes', async (scene) => {
    for (let n = 0; n < 22; n += 1) {
      await scene.advanceTime(2)
      await scene.release(`m${n}`, null, { outcome: 'revoked' })
    }
    const view = await scene.store.show(KEY)
    assert.equal(view?.outcomes.length, 20)
    assert.equal(view?.outcomes[0]?.messageId, 'm21')
  })

  test('find follows a message from parked to held to ended, with and without its key', async (scene) => {
    await scene.acquire('a')
    await scene.park('b')
    for (const key of [KEY, null]) {
      const parked = await scene.store.find('b', key)
      assert.deepEqual([parked.key, parked.parked, parked.hold, parked.outcome], [KEY, true, null, null])
    }
    await scene.release('a', await scene.running('a'))
    await scene.store.confirm([refTo('b')])
    const step = runStep('b', { worker: 'w2@host' })
    await scene.store.advance(step)
    for (const key of [KEY, null]) {
      const held = await scene.store.find('b', key)
      assert.deepEqual([held.key, held.parked, held.outcome], [KEY, false, null])
      assert.deepEqual(held.hold, { stage: 'running', retries: 0, worker: 'w2@host' })
      assert.equal((await scene.store.find('a', key)).outcome?.outcome, 'ran')
      const nobody = await scene.store.find('nobody', key)
      assert.deepEqual([nobody.parked, nobody.hold, nobody.outcome], [false, null, null])
    }
  })
}

async function rowsOf(store: LockStore, query: ListQuery = {}): Promise<LockRow[]> {
  const rows: LockRow[] = []
  for await (const row of store.list(query)) rows.push(row)
  return rows
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
