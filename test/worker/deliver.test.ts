import assert from 'node:assert/strict'
import { openLockStore } from '../../adapters/memory/lock-store.js'
import { memoryServer } from '../../adapters/memory/server.js'
import { App } from '../../src/index.js'
import { createEmitter } from '../../src/lock/emit.js'
import { resultValue } from '../../src/task-base/result.js'
import type { ExecutionPorts } from '../../src/task-base/run.js'
import { deliverTo } from '../../src/worker/deliver.js'

describe('a delivery', () => {
  it('[P10] whose arguments give no key ends as failed, and tells its caller why', async () => {
    const app = new App('deliver', { broker: 'memory:' })
    app.task('feeds.refresh', { once: { keys: ['feedId'] } }, (feed: { feedId: number }) => feed.feedId)
    const store = openLockStore({ server: memoryServer(), app: 'deliver' })
    const ports = { store, events: createEmitter(), worker: 'w1', now: Date.now } as Partial<ExecutionPorts>
    const deliver = deliverTo({
      tasks: app.tasks,
      ports: ports as ExecutionPorts,
      defaults: { softTimeLimitMs: null, timeLimitMs: null },
    })
    const message = await app.message(await app.targetOf('elsewhere'), [7], {})
    assert.deepEqual(await deliver({ ...message, task: 'feeds.refresh' }), { verdict: 'ack' })
    const { outcome } = await store.find(message.id, null)
    assert.equal(outcome?.code, 'BAD_ARGUMENTS')
    assert.throws(() => outcome && resultValue(outcome), /locked by feedId, which 1 argument without names cannot give/)
    await app.close()
  })
})
