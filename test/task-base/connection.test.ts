import assert from 'node:assert/strict'
import { connect } from '../../src/connect.js'
import { createEmitter } from '../../src/lock/emit.js'
import { StoreUnavailable } from '../../src/lock/error.js'
import { openConnection } from '../../src/task-base/connection.js'
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
