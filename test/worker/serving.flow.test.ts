import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import type { AppEvents } from '../../src/task-base/event.js'
import { type RunningWorker, startWorker } from '../../src/worker/worker.js'
import { setFlowEnv } from '../support/flow-env.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'

const MODULE = fileURLToPath(new URL('../support/flow-app.js', import.meta.url))
const NAMES = ['run:started', 'run:ended', 'run:unstarted', 'worker:stalled', 'worker:resumed', 'trouble'] as const

describe('a worker whose children cannot start', function () {
  this.timeout(120_000)

  let server: RedisServer
  let worker: RunningWorker | undefined
  let restoreEnv: (() => void) | undefined

  before(async () => {
    server = await startRedis()
  })
  afterEach(() => {
    delete process.env['FLOW_TYPO']
    restoreEnv?.()
  })
  after(async () => {
    await worker?.stop('cold')
    await server.stop()
  })

  it('[P8] [P10] gives its messages back uncounted, takes no more, tells why once, and goes on by itself', async () => {
    restoreEnv = setFlowEnv({ app: 'serving', broker: server.url })
    const { app, slow, crashOnce } = (await import(`${MODULE}?serving`)) as typeof import('../support/flow-app.js')
    const told: { name: string; event: Record<string, unknown> }[] = []
    for (const name of NAMES) {
      app.on(name, (event: AppEvents[typeof name]) => void told.push({ name, event: { ...event } }))
    }
    const all = (name: string) => told.filter((each) => each.name === name).map(({ event }) => event)
    const limits = { softTimeLimitMs: null, timeLimitMs: null }
    const options = { name: 'w1', concurrency: 1, pool: 'prefork', queues: ['default'], ...limits } as const
    worker = await startWorker({ app, module: MODULE, ...options })
    await (await slow.delay({ n: 0 })).get()

    process.env['FLOW_TYPO'] = 'feedz is not defined'
    const first = await crashOnce.delay({ n: 1 })
    await until(() => all('worker:stalled').length === 1 && all('run:unstarted').length === 1)
    assert.deepEqual([all('run:unstarted')[0]?.['id'], all('run:unstarted')[0]?.['why']], [first.id, 'no child'])
    const { store, servers } = await app.connection()
    assert.equal((await store.find(first.id, null)).hold?.stage, 'queued')
    const second = await slow.delay({ n: 2 })
    const left = async () => {
      const { waiting, delayed } = await servers.engine.counts('default')
      return waiting + delayed === 2
    }
    await until(left, { what: 'both messages to be left to other workers' })
    const troubles = all('trouble').filter(({ where }) => where === 'child')
    assert.equal(troubles.length, 1)
    assert.match(String(troubles[0]?.['error']), /feedz is not defined/)

    delete process.env['FLOW_TYPO']
    assert.deepEqual([await first.get({ timeout: '30s' }), await second.get({ timeout: '30s' })], [1, 2])
    assert.equal(all('worker:resumed').length, 1)
    const starts = all('run:started').filter(({ id }) => id === first.id)
    assert.deepEqual(new Set(starts.map(({ deliveries }) => deliveries)), new Set([1, 2]))
    assert.equal(all('run:started').filter(({ id }) => id === second.id).length, 1, 'nothing is taken meanwhile')
    assert.ok(starts.length > 2, 'the start that was given back is counted again')
  })

  it('[P22] stops warm with its messages left to others, a waiting body among them', async () => {
    restoreEnv = setFlowEnv({ app: 'serving-stop', broker: server.url })
    const { app, crashOnce } = (await import(`${MODULE}?stalled`)) as typeof import('../support/flow-app.js')
    const limits = { softTimeLimitMs: null, timeLimitMs: null }
    const options = { name: 'w1', concurrency: 1, pool: 'prefork', queues: ['default'], ...limits } as const
    const own = await startWorker({ app, module: MODULE, ...options })
    const crashed = new Promise((resolve) => app.on('run:crashed', resolve))
    const begun: number[] = []
    app.on('run:started', ({ deliveries }) => void begun.push(deliveries))
    process.env['FLOW_TYPO'] = 'feedz is not defined'
    const result = await crashOnce.delay({ n: 1 })
    await crashed
    // The redelivery has its key and waits for a child; none will start.
    await until(() => begun.length > 1)
    await own.stop('warm')
    delete process.env['FLOW_TYPO']
    const next = await startWorker({ app, module: MODULE, ...options, name: 'w2' })
    try {
      assert.equal(await result.get({ timeout: '30s' }), 1)
      assert.equal(begun.at(-1), 2, 'only the start that crashed counts')
    } finally {
      await next.stop('cold')
    }
  })
})
