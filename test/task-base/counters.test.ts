import assert from 'node:assert/strict'
import { App, QueueOnce, StoreUnavailable } from '../../src/index.js'
import type { Count } from '../../src/lock/counter.js'
import { createEmitter } from '../../src/lock/emit.js'
import { lockKey } from '../../src/lock/key.js'
import { Counters } from '../../src/task-base/counters.js'
import type { AppEvents } from '../../src/task-base/event.js'
import { until } from '../support/until.js'

class Report extends QueueOnce {
  readonly name = 'reports.daily'
  override readonly once = { keys: ['n'], overlap: 'skip' } as const
  run({ n }: { n: number }): number {
    return n
  }
}

describe('counters', () => {
  it('[P10] count what became of every call, by task', async () => {
    const app = new App('shop', { broker: 'memory:' })
    const report = app.register(Report)
    try {
      const first = await report.delay({ n: 1 })
      await report.delay({ n: 1 })
      await report.applyAsync([{ n: 1 }], { once: { overlap: 'defer' } })
      await report.applyAsync([{ n: 1 }], { once: { overlap: 'defer' } })
      await app.locks.clear(first.key ?? '', { parked: true })
      const second = await report.delay({ n: 2 })
      await app.revoke(second)
      const { store } = await app.connection()
      const then = await store.now()
      await until(async () => (await store.now()) > then, { what: 'the clock to move' })
      await app.revoke(second)
      const counts = { published: 2, refused: 1, parked: 1, coalesced: 1, revoked: 2 }
      assert.deepEqual(app.counters(), { 'reports.daily': counts })
    } finally {
      await app.close()
    }
  })

  it('[P4] count each attempt of a stale owner', () => {
    const events = createEmitter<AppEvents>()
    const counters = new Counters(events)
    const of = { key: lockKey('reports.daily', '[1]'), id: 'a' }
    for (const step of ['release', 'renew', 'renew', 'requeue'] as const) events.emit('lock:stale', { ...of, step })
    const counts = { stale_release: 1, stale_renew: 2, stale_requeue: 1 }
    assert.deepEqual(counters.totals(), { 'reports.daily': counts })
  })

  it('[P21] what was not answered is sent again as the same request, before anything new', async () => {
    const events = createEmitter<AppEvents>()
    const counters = new Counters(events)
    const sent: [string, readonly Count[]][] = []
    let answers = false
    const stop = counters.flushTo({
      read: async () => [],
      add: async (id, counts) => {
        sent.push([id, counts])
        if (!answers) throw new StoreUnavailable('a server', 'gone')
      },
    })
    const one = { id: 'a', task: 't', key: lockKey('t', '[1]'), label: 't' }
    events.emit('call:published', one)
    await stop()
    answers = true
    events.emit('call:published', one)
    await stop()
    assert.deepEqual(
      sent.map(([, counts]) => counts),
      Array(4).fill([{ task: 't', name: 'published', n: 1 }]),
    )
    const ids = sent.map(([id]) => id)
    assert.deepEqual([ids[1], ids[2]], [ids[0], ids[0]])
    assert.notEqual(ids[3], ids[0])
  })
})
