import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import type { Consumer } from '../../src/task-base/engine.js'
import { endConsumer, everyStep } from '../../src/worker/stop.js'
import { startWorker } from '../../src/worker/worker.js'
import { setFlowEnv } from '../support/flow-env.js'
import { ranMs } from '../support/machine-time.js'
import { startRedis } from '../support/redis-server.js'

const MODULE = fileURLToPath(new URL('../support/flow-app.js', import.meta.url))

describe('the stop of a worker', function () {
  this.timeout(120_000)
  let restoreEnv: (() => void) | undefined
  after(() => restoreEnv?.())

  it('that is idle ends in bounded time while its server is away', async () => {
    const server = await startRedis()
    restoreEnv = setFlowEnv({ app: 'stop', broker: server.url })
    const { app } = (await import(`${MODULE}?stop`)) as typeof import('../support/flow-app.js')
    const limits = { softTimeLimitMs: null, timeLimitMs: null }
    const options = { name: 'w1', concurrency: 1, pool: 'prefork', queues: ['default'], ...limits } as const
    const worker = await startWorker({ app, module: MODULE, ...options })
    await server.stop()
    const startNs = process.hrtime.bigint()
    await worker.stop('warm')
    const ms = ranMs(startNs)
    assert.ok(ms < 25_000, `took ${ms} ms`)
  })

  it('leaves a consumer that does not finish, but not before its last delivery has ended', async () => {
    const told: string[] = []
    let busy = true
    const consumer: Consumer = {
      pause: async () => {},
      resume: async () => {},
      resize: async () => {},
      addQueue: async () => {},
      cancelQueue: async () => {},
      close: (how) => {
        told.push(how)
        return how === 'now' ? Promise.resolve() : new Promise(() => {})
      },
    }
    const startMs = performance.now()
    setTimeout(() => (busy = false), 1_000)
    await endConsumer({ consumer, busy: () => busy, cold: new AbortController().signal })
    assert.ok(performance.now() - startMs >= 5_900)
    assert.deepEqual(told, ['finish', 'now'])
  })

  it('goes on when a step fails, and tells of it', async () => {
    const done: string[] = []
    const step = () => Promise.reject(new Error('the server is away'))
    await everyStep([step, () => done.push('next')], ({ message }) => done.push(message))
    assert.deepEqual(done, ['the server is away', 'next'])
  })
})
