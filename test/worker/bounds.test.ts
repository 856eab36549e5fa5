import assert from 'node:assert/strict'
import { openLockStore } from '../../adapters/memory/lock-store.js'
import { memoryServer } from '../../adapters/memory/server.js'
import { App, type CallOptions, UsageError } from '../../src/index.js'
import { createEmitter } from '../../src/lock/emit.js'
import type { BodyEnd, BodyRequest } from '../../src/task-base/body.js'
import type { ExecutionPorts } from '../../src/task-base/run.js'
import { deliverTo } from '../../src/worker/deliver.js'

const CRASHED: BodyEnd = { end: 'killed', why: 'crashed', detail: 'SIGKILL', exitSeenNs: 0n }
const RETRY: BodyEnd = { end: 'retry', countdownMs: 0, error: null }

/** A worker's way of a message, whose bodies end as told. */
function bounded(app: App, ends: BodyEnd[] = [], flags = { softTimeLimitMs: 7_000, timeLimitMs: 8_000 }) {
  const store = openLockStore({ server: memoryServer(), app: app.name })
  const bodies: BodyRequest[] = []
  const ports: Partial<ExecutionPorts> = {
    store,
    events: createEmitter(),
    worker: 'w1',
    now: Date.now,
    leaseMs: 5_000,
    lockDelayMs: 1_000,
    hold: () => 0n,
    drop: () => {},
    promote: async () => {},
    run: async (body) => {
      bodies.push(body)
      return ends[bodies.length - 1] ?? { end: 'returned', result: null }
    },
    signal: new AbortController().signal,
  }
  return { store, bodies, deliver: deliverTo({ tasks: app.tasks, ports: ports as ExecutionPorts, defaults: flags }) }
}

describe('the limits of a run', () => {
  const app = new App('bounds', { broker: 'memory:' })
  app.task('strict', { timeLimit: '4s', softTimeLimit: '3s' }, () => {})
  app.task('hard.only', { timeLimit: '4s' }, () => {})
  app.task('free', {}, () => {})
  after(() => app.close())

  async function limitsOf(task: string, options: CallOptions): Promise<(number | null | undefined)[]> {
    const { bodies, deliver } = bounded(app)
    await deliver(await app.message(await app.targetOf(task), [], options))
    return [bodies[0]?.softLimitMs, bodies[0]?.hardLimitMs]
  }

  it('are the call’s, else the task’s, else the worker’s, each by itself', async () => {
    assert.deepEqual(await limitsOf('strict', { softTimeLimit: '1s', timeLimit: '2s' }), [1_000, 2_000])
    assert.deepEqual(await limitsOf('strict', { softTimeLimit: '1s' }), [1_000, 4_000])
    assert.deepEqual(await limitsOf('strict', {}), [3_000, 4_000])
    assert.deepEqual(await limitsOf('hard.only', {}), [7_000, 4_000])
    assert.deepEqual(await limitsOf('free', {}), [7_000, 8_000])
    assert.deepEqual(await limitsOf('free', { timeLimit: '9s' }), [7_000, 9_000])
  })

  it('are refused at the call where the soft one would never be reached', async () => {
    await assert.rejects(
      limitsOf('hard.only', { softTimeLimit: '5s' }),
      (error) =>
        error instanceof UsageError && /call of 'hard.only': a softTimeLimit of 5000 ms is never/.test(error.message),
    )
  })
})

describe('a message that is acknowledged early', () => {
  const app = new App('early', { broker: 'memory:' })
  app.task('early', { acksLate: false, once: { keys: [] } }, () => {})
  app.task('late', { once: { keys: [] } }, () => {})
  after(() => app.close())

  async function play(task: string, ends: BodyEnd[]) {
    const { store, bodies, deliver } = bounded(app, ends)
    const message = await app.message(await app.targetOf(task), [], {})
    const verdicts: string[] = []
    do verdicts.push((await deliver(message)).verdict)
    while (verdicts.at(-1) === 'putBack')
    const { outcome, hold } = await store.find(message.id, message.lock.key)
    const letters = await store.dead.list({ allApps: false })
    return { starts: bodies.length, code: outcome?.code, held: hold !== null, letters: letters.length }
  }

  it('[P10] starts once: its process dead it has failed, its key is free and it is kept as a dead letter', async () => {
    assert.deepEqual(await play('early', [CRASHED]), { starts: 1, code: 'MAX_DELIVERIES', held: false, letters: 1 })
    assert.deepEqual(await play('late', [CRASHED, CRASHED]), { starts: 3, code: null, held: false, letters: 0 })
  })

  it('starts again when it asks for it, or when its body never began', async () => {
    const unstarted = { end: 'unstarted', why: 'no child' } as const
    assert.deepEqual((await play('early', [RETRY, RETRY])).starts, 3)
    const { starts, code } = await play('early', [unstarted, RETRY, CRASHED])
    assert.deepEqual([starts, code], [3, 'MAX_DELIVERIES'])
  })

  it('[P13] does not start a second time when its worker died with it', async () => {
    const { store, bodies, deliver } = bounded(app, [new Promise<never>(() => {}) as never])
    const message = await app.message(await app.targetOf('early'), [], {})
    const request = { publishLeaseMs: 1_000, resultMs: 60_000 }
    void deliver(message)
    while (bodies.length === 0) await new Promise(setImmediate)
    const ref = { key: message.lock.key, messageId: message.id, round: 0 }
    const token = bodies[0]?.token ?? assert.fail('no token')
    // What a sweeper does once the lease is over: the message has its place, to be delivered again.
    await store.advance({ ...ref, ...request, to: 'queued', token, reason: 'redelivery', delayMs: 0, maxDeliveries: 3 })
    assert.deepEqual(await deliver(message), { verdict: 'ack' })
    assert.equal(bodies.length, 1)
    assert.equal((await store.find(message.id, null)).outcome?.code, 'MAX_DELIVERIES')
  })
})
