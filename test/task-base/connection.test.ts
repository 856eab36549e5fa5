import assert from 'node:assert/strict'
import { connect } from '../../src/connect.js'
import { createEmitter } from '../../src/lock/emit.js'
import { StoreUnavailable, UsageError } from '../../src/lock/error.js'
import { watchClock } from '../../src/task-base/clock-watch.js'
import { openConnection } from '../../src/task-base/connection.js'
import type { AppEvents } from '../../src/task-base/event.js'
import { until } from '../support/until.js'

describe('openConnection', () => {
  it('lets go of the servers when the store does not tell its time', async () => {
    const options = { app: 'c', broker: 'memory:', locks: undefined, barrier: 'auto', embeddedDir: undefined } as const
    const servers = await connect({ ...options, mayStart: false, trouble: () => {} })
    let closed = 0
    const broken: typeof servers = {
      ...servers,
      lockStore: { ...servers.lockStore, now: () => Promise.reject(new StoreUnavailable('h:1', 'gone')) },
      async close() {
        closed += 1
        await servers.close()
      },
    }
    await assert.rejects(openConnection(broken, { resultMs: 1, events: createEmitter() }), StoreUnavailable)
    assert.equal(closed, 1)
  })

  it('waits for replicas of Redis only', async () => {
    const options = { app: 'c', broker: 'memory:', locks: undefined, barrier: 'auto', embeddedDir: undefined } as const
    const waitReplicas = { count: 1, timeoutMs: 100 }
    await assert.rejects(
      connect({ ...options, waitReplicas, mayStart: false, trouble: () => {} }),
      (error) => error instanceof UsageError && /locks\.waitReplicas is for locks on Redis/.test(error.message),
    )
  })

  it('tells how far this host’s clock is off the server’s, once', async () => {
    const events = createEmitter<AppEvents>()
    const told: number[] = []
    events.on('clock:off', ({ aheadMs }) => told.push(Math.round(aheadMs / 1000)))
    const watch = watchClock(events)
    const seen: readonly number[] = [0, 2_000, 600_000, 600_900, 598_000, 100, -30_000, -30_000]
    for (const ahead of seen) watch(1_700_000_000_000, 1_700_000_000_000 + ahead)
    assert.deepEqual(told, [600, -30])
  })

  it('[P15] asks the store for its time again when the machine has slept', async () => {
    const options = { app: 'c', broker: 'memory:', locks: undefined, barrier: 'auto', embeddedDir: undefined } as const
    const servers = await connect({ ...options, mayStart: false, trouble: () => {} })
    const clockNow = Date.now
    let storeNow = clockNow()
    const lockStore = { ...servers.lockStore, now: async () => storeNow }
    const connection = await openConnection({ ...servers, lockStore }, { resultMs: 1, events: createEmitter() })
    try {
      // Asleep for an hour: wall time and the store's went on, monotonic time did not.
      storeNow += 3_600_000
      assert.ok(connection.now() < storeNow - 3_000_000)
      Date.now = () => clockNow() + 3_600_000
      await until(() => connection.now() >= storeNow)
    } finally {
      Date.now = clockNow
      await connection.close()
    }
  })
})
