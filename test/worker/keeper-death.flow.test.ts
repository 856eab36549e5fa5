import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import type { Servers } from '../../src/connect.js'
import type { App } from '../../src/index.js'
import { type RunningWorker, startWorker } from '../../src/worker/worker.js'
import { setFlowEnv } from '../support/flow-env.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'

const MODULE = fileURLToPath(new URL('../support/flow-app.js', import.meta.url))
const DYING = new URL('./fixture/dying-keeper.js', import.meta.url).href

describe('a worker whose keeper thread dies', function () {
  this.timeout(180_000)
  let server: RedisServer
  let restoreEnv: (() => void) | undefined
  const workers: RunningWorker[] = []

  before(async () => {
    server = await startRedis()
  })
  after(async () => {
    for (const worker of workers) await worker.stop('cold')
    await server?.stop()
    restoreEnv?.()
  })

  async function started(app: App): Promise<RunningWorker> {
    const worker = await startWorker({
      app,
      module: MODULE,
      name: `w${workers.length}`,
      concurrency: 1,
      pool: 'prefork',
      queues: ['default'],
      softTimeLimitMs: null,
      timeLimitMs: null,
    })
    workers.push(worker)
    return worker
  }

  it('[P11] stops, and leaves its messages to the next worker instead of starting each only to lose it', async () => {
    restoreEnv = setFlowEnv({ app: 'keeper-death', broker: server.url })
    const load = async (as: string) => (await import(`${MODULE}?${as}`)) as typeof import('../support/flow-app.js')
    const { app } = await load('dying')
    const { app: next, slow } = await load('next')
    const { servers } = await app.connection()
    const lockSource: Servers['lockSource'] = { module: DYING, options: { ...servers.lockSource } }
    Object.assign(servers, { lockSource })
    const worker = await started(app)
    const calls = await Promise.all([1, 2, 3].map((n) => slow.delay({ n, ms: 2_500 })))
    await assert.rejects(worker.failed, /the keeper thread ended unexpectedly: .*; start the process again/)
    const { store } = await next.connection()
    await until(async () => (await store.workers({ allApps: false })).length === 0, { what: 'the worker to be gone' })
    await started(next)
    for (const call of calls) assert.ok(await call.get({ timeout: '100s' }))
  })
})
