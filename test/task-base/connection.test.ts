import assert from 'node:assert/strict'
import { connect } from '../../src/connect.js'
import { createEmitter } from '../../src/lock/emit.js'
import { StoreUnavailable } from '../../src/lock/error.js'
import { openConnection } from '../../src/task-base/connection.js'

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
})
