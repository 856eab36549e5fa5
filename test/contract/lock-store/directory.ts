import assert from 'node:assert/strict'
import type { GuardDefinition } from '../../../src/lock/guard-definition.js'
import type { WorkerRow } from '../../../src/lock/worker-row.js'
import { acquiring, KEY, type SceneTest } from './scene.js'

/** What stands beside the locks: the clock, workers, definitions, and the end of it all. */
export function directoryContract(test: SceneTest): void {
  test('every answer carries the time of the one clock', async (scene) => {
    const before = await scene.store.now()
    await scene.advanceTime(20)
    const answer = await scene.acquire('a')
    await scene.advanceTime(20)
    const after = await scene.store.now()
    assert.ok(before < answer.now && answer.now < after)
  })

  test('a worker is listed with the time of its last batch until it leaves', async (scene) => {
    const row = workerRow(scene.app, 'w1')
    const first = await scene.store.renew({ worker: row, leases: [], acked: [] })
    await scene.store.renew({ worker: workerRow(scene.app, 'w2'), leases: [], acked: [] })
    const listed = await scene.store.workers({ allApps: false })
    assert.deepEqual(listed.map((each) => each.name).sort(), ['w1', 'w2'])
    const w1 = listed.find((each) => each.name === 'w1')
    assert.ok(w1 && Math.abs(w1.seenAt - first.now) < 1_000)
    assert.deepEqual({ ...w1, seenAt: 0 }, { ...row, seenAt: 0 })
    await scene.advanceTime(20)
    await scene.store.renew({ worker: { ...row, queues: ['reports'] }, leases: [], acked: [] })
    const again = (await scene.store.workers({ allApps: true })).find(
      (each) => each.name === 'w1' && each.app === scene.app,
    )
    assert.ok(again && again.seenAt > w1.seenAt)
    assert.deepEqual(again.queues, ['reports'])
    const present = await scene.store.attendance()
    const seen = present.workers.find(({ name }) => name === 'w1')
    assert.deepEqual([present.workers.length, seen], [2, { name: 'w1', seenAt: again.seenAt }])
    assert.ok(Math.abs(present.now - again.seenAt) < 5_000)
    await scene.store.leave('w1')
    await scene.store.leave('nobody')
    assert.deepEqual(
      (await scene.store.attendance()).workers.map(({ name }) => name),
      ['w2'],
    )
    assert.deepEqual(
      (await scene.store.workers({ allApps: false })).map((each) => each.name),
      ['w2'],
    )
  })

  test('a definition is read as it was written last, by every instance', async (scene) => {
    const other = await scene.another()
    const feeds: GuardDefinition = {
      keys: ['feedId'],
      params: null,
      defaults: { full: false, nested: { z: 1, a: [null, 'ü'] } },
      limit: 1,
      mode: 'untilExecuted',
      timeoutMs: 3_600_000,
      keep: 'first',
      maxParked: 1_000,
      minRunMs: 0,
      overlap: 'skip',
      redact: false,
      opaque: false,
    }
    await scene.store.define({ feeds, other: { ...feeds, keys: null, opaque: true } })
    assert.deepEqual(await other.definition('feeds'), feeds)
    assert.equal((await other.definition('other'))?.opaque, true)
    await scene.store.define({ feeds: { ...feeds, timeoutMs: 5_000 } })
    assert.equal((await scene.store.definition('feeds'))?.timeoutMs, 5_000)
    assert.equal((await scene.store.definition('other'))?.opaque, true)
    assert.equal(await scene.store.definition('nobody'), null)
    await scene.store.define({ feeds: null, more: feeds, nobody: null })
    assert.equal(await other.definition('feeds'), null)
    assert.deepEqual(await other.definition('more'), feeds)
    assert.equal((await other.definition('other'))?.opaque, true)
  })

  test("destroy forgets all of its app and nothing of another's", async (scene) => {
    const other = await scene.another(`${scene.app}-other`)
    try {
      await other.acquire(acquiring('x'))
      await scene.acquire('a')
      await scene.park('b')
      await scene.release('gone', null, { outcome: 'revoked' })
      await scene.store.renew({ worker: workerRow(scene.app, 'w1'), leases: [], acked: [] })
      await scene.store.destroy()
      assert.equal(await scene.store.show(KEY), null)
      assert.equal((await scene.store.find('gone', null)).outcome, null)
      assert.deepEqual(await scene.store.workers({ allApps: false }), [])
      assert.equal((await scene.acquire('c')).outcome, 'granted')
      assert.equal((await other.acquire(acquiring('y'))).outcome, 'refused')
    } finally {
      await other.destroy()
    }
  })
}

export function workerRow(app: string, name: string): WorkerRow {
  return {
    app,
    name,
    host: 'host',
    pid: 42,
    queues: ['default'],
    tasks: ['suite.task'],
    guards: { 'suite.task': '01234567' },
    version: '0.1.0',
    concurrency: 4,
    startedAt: 1_700_000_000_000,
    seenAt: 0,
  }
}
