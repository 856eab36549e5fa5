import assert from 'node:assert/strict'
import { openLockStore } from '../../adapters/memory/lock-store.js'
import { memoryServer } from '../../adapters/memory/server.js'
import { App, Task } from '../../src/index.js'
import { createEmitter } from '../../src/lock/emit.js'
import { StoreUnavailable } from '../../src/lock/error.js'
import type { ReleaseRequest } from '../../src/lock/message-step.js'
import { resultValue } from '../../src/task-base/result.js'
import type { ExecutionPorts } from '../../src/task-base/run.js'
import { deliverTo, keysOf } from '../../src/worker/deliver.js'
import { until } from '../support/until.js'

describe('a delivery', () => {
  it('[P13] writes a finished body’s end down through errors of any kind, and does not run it again', async () => {
    const app = new App('insists', { broker: 'memory:' })
    app.task('feeds.refresh', { once: { keys: ['feedId'] } }, (feed: { feedId: number }) => feed.feedId)
    const store = openLockStore({ server: memoryServer(), app: 'insists' })
    const failures = [new StoreUnavailable('h:1', 'gone'), new Error('the password is being changed')]
    const kept: string[] = []
    const ports: Partial<ExecutionPorts> = {
      store: Object.assign(Object.create(store), {
        release: (request: ReleaseRequest) => {
          const failure = failures.shift()
          return failure ? Promise.reject(failure) : store.release(request)
        },
      }),
      events: createEmitter(),
      worker: 'w1',
      now: Date.now,
      barrier: undefined,
      leaseMs: 5_000,
      lockDelayMs: 1_000,
      hold: (_, runId) => BigInt(kept.push(runId)),
      drop: (runId) => void kept.splice(kept.indexOf(runId), 1),
      run: async () => {
        assert.equal(kept.length, 1)
        return { end: 'returned', result: '7' }
      },
      signal: new AbortController().signal,
    }
    const defaults = { softTimeLimitMs: null, timeLimitMs: null }
    const deliver = deliverTo({ tasks: app.tasks, ports: ports as ExecutionPorts, defaults })
    const message = await app.message(await app.targetOf('feeds.refresh'), [{ feedId: 7 }], {})
    assert.deepEqual(await deliver(message), { verdict: 'ack' })
    assert.deepEqual([failures, kept], [[], []])
    assert.equal((await store.find(message.id, null)).outcome?.outcome, 'ran')
    await app.close()
  })

  it('of a key whose last end is still being written down waits for that, while another key goes on', async () => {
    const app = new App('endings', { broker: 'memory:' })
    app.task('feeds.refresh', { once: { keys: ['feedId'], mode: 'whileExecuting' } }, (_: { feedId: number }) => {})
    const store = openLockStore({ server: memoryServer(), app: 'endings' })
    const releases: (() => void)[] = []
    const bodies: unknown[] = []
    const ports: Partial<ExecutionPorts> = {
      store: Object.assign(Object.create(store), {
        release: (request: ReleaseRequest) =>
          new Promise((resolve) => releases.push(() => resolve(store.release(request)))),
      }),
      events: createEmitter(),
      worker: 'w1',
      now: Date.now,
      barrier: undefined,
      leaseMs: 5_000,
      lockDelayMs: 1_000,
      hold: () => 0n,
      drop: () => {},
      run: async ({ message }) => {
        bodies.push(JSON.parse(message).args[0].feedId)
        return { end: 'returned', result: null }
      },
      signal: new AbortController().signal,
    }
    const defaults = { softTimeLimitMs: null, timeLimitMs: null }
    const deliver = deliverTo({ tasks: app.tasks, ports: ports as ExecutionPorts, defaults, endPatienceMs: 60_000 })
    const freed: unknown[] = []
    const call = async (feedId: number) => {
      const message = await app.message(await app.targetOf('feeds.refresh'), [{ feedId }], {})
      return deliver(message, () => freed.push(feedId))
    }
    const first = call(7)
    await until(() => freed.length === 1)
    const verdicts = [first, call(7), call(8)]
    await until(() => releases.length === 2)
    assert.deepEqual(
      [bodies, freed],
      [
        [7, 8],
        [7, 8],
      ],
    )
    for (const release of releases.splice(0)) release()
    await until(() => releases.length === 1)
    assert.deepEqual(bodies, [7, 8, 7])
    releases[0]?.()
    assert.deepEqual(
      await Promise.all(verdicts),
      [1, 2, 3].map(() => ({ verdict: 'ack' })),
    )
    await app.close()
  })

  it('[P19] of a key whose last end cannot be written down waits a moment, then hears from the store what holds it', async () => {
    const app = new App('stuck', { broker: 'memory:' })
    app.task(
      'feeds.refresh',
      { once: { keys: ['feedId'], mode: 'whileExecuting', overlap: 'defer' } },
      (_: { feedId: number }) => {},
    )
    const store = openLockStore({ server: memoryServer(), app: 'stuck' })
    const releases: (() => void)[] = []
    const bodies: unknown[] = []
    const ports: Partial<ExecutionPorts> = {
      store: Object.assign(Object.create(store), {
        release: (request: ReleaseRequest) =>
          new Promise((resolve) => releases.push(() => resolve(store.release(request)))),
      }),
      events: createEmitter(),
      worker: 'w1',
      now: Date.now,
      barrier: undefined,
      leaseMs: 5_000,
      lockDelayMs: 1_000,
      hold: () => 0n,
      drop: () => {},
      run: async ({ message }) => {
        bodies.push(JSON.parse(message).args[0].feedId)
        return { end: 'returned', result: null }
      },
      signal: new AbortController().signal,
    }
    const defaults = { softTimeLimitMs: null, timeLimitMs: null }
    const deliver = deliverTo({ tasks: app.tasks, ports: ports as ExecutionPorts, defaults, endPatienceMs: 20 })
    const freed: unknown[] = []
    const call = async (feedId: number) => {
      const message = await app.message(await app.targetOf('feeds.refresh'), [{ feedId }], {})
      return deliver(message, () => freed.push(feedId))
    }
    const first = call(7)
    await until(() => freed.length === 1)
    assert.equal((await call(7)).verdict, 'putBack')
    assert.deepEqual(bodies, [7])
    for (const release of releases) release()
    assert.deepEqual(await first, { verdict: 'ack' })
    await app.close()
  })

  for (const held of [true, false]) {
    it(`[P6] trusts its lease from the first request on, barrier or grant (${held ? 'with' : 'without'} a hold)`, async () => {
      const app = new App('seated', { broker: 'memory:' })
      app.task('feeds.refresh', { once: { keys: ['feedId'] } }, (feed: { feedId: number }) => feed.feedId)
      const store = openLockStore({ server: memoryServer(), app: 'seated' })
      const at = { grantNs: 0n, seatNs: 0n, trustNs: 0n, seat: -1 }
      const ports: Partial<ExecutionPorts> = {
        store: Object.assign(Object.create(store), {
          advance: (step: never) => {
            at.grantNs = process.hrtime.bigint()
            return store.advance(step)
          },
        }),
        events: createEmitter(),
        worker: 'w1',
        now: Date.now,
        barrier: {
          kind: 'quorum',
          take: async () => {
            at.seatNs = process.hrtime.bigint()
            return 'taken'
          },
          drop: async () => undefined,
        },
        leaseMs: 5_000,
        lockDelayMs: 1_000,
        hold: ({ sentAtNs, seat = -1 }) => {
          Object.assign(at, { trustNs: sentAtNs, seat })
          return 1n
        },
        drop: () => undefined,
        run: async () => ({ end: 'returned', result: '7' }),
        signal: new AbortController().signal,
      }
      const defaults = { softTimeLimitMs: null, timeLimitMs: null }
      const deliver = deliverTo({ tasks: app.tasks, ports: ports as ExecutionPorts, defaults })
      const message = await app.message(await app.targetOf('feeds.refresh'), [{ feedId: 7 }], {})
      assert.deepEqual(await deliver({ ...message, lock: { ...message.lock, held } }), { verdict: 'ack' })
      assert.equal(at.seat, 0, 'the keeper prolongs it')
      assert.equal(at.seatNs < at.grantNs, held, 'which was asked for first')
      assert.ok(at.trustNs > 0n && at.trustNs <= at.seatNs && at.trustNs <= at.grantNs)
      await app.close()
    })
  }

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

  it('of a task that its publisher did not know is retried as often as the task says', async () => {
    const app = new App('deliver', { broker: 'memory:' })
    class Stubborn extends Task {
      readonly name = 'stubborn'
      override readonly maxRetries = 9
      run(): void {}
    }
    app.register(Stubborn)
    const ports: Partial<ExecutionPorts> = {
      store: openLockStore({ server: memoryServer(), app: 'deliver' }),
      events: createEmitter(),
      worker: 'w1',
      now: Date.now,
      leaseMs: 5_000,
      lockDelayMs: 1_000,
      hold: () => 0n,
      drop: () => {},
      promote: async () => {},
      run: async ({ message }) => ({ end: 'returned', result: String(JSON.parse(message).maxRetries) }),
    }
    const limits = { softTimeLimitMs: null, timeLimitMs: null }
    const deliver = deliverTo({ tasks: app.tasks, ports: ports as ExecutionPorts, defaults: limits })
    for (const [retries, expected] of [
      [undefined, '9'],
      [2, '2'],
    ] as const) {
      const options = retries === undefined ? {} : { retries }
      const message = await app.message(await app.targetOf('elsewhere'), [], options)
      await deliver({ ...message, task: 'stubborn', lock: { ...message.lock, overlap: 'allow' } })
      assert.equal((await ports.store?.find(message.id, message.lock.key))?.outcome?.result, expected)
    }
    await app.close()
  })

  it('[P4] that comes to its end after a later run of its message is counted as stale, and tells no second end', async () => {
    const app = new App('deliver', { broker: 'memory:' })
    app.task('rollup', { once: { keys: [] } }, () => {})
    const store = openLockStore({ server: memoryServer(), app: 'deliver' })
    const events: ExecutionPorts['events'] = createEmitter()
    const told: unknown[] = []
    events.on('run:ended', ({ attempt, outcome }) => told.push([attempt, outcome]))
    events.on('lock:stale', ({ step }) => told.push(['stale', step]))
    const message = await app.message(await app.targetOf('rollup'), [], {})
    let bodies = 0
    const ports: Partial<ExecutionPorts> = {
      store,
      events,
      worker: 'w1',
      now: Date.now,
      leaseMs: 5_000,
      lockDelayMs: 1_000,
      hold: () => 0n,
      drop: () => {},
      promote: async () => {},
      async run() {
        bodies += 1
        if (bodies > 1) return { end: 'returned', result: '"later"' }
        const times = { publishLeaseMs: 1_000, resultMs: 60_000 }
        await store.clear({ key: message.lock.key, parked: false, running: 'drop', by: 'ada', ...times })
        await deliver(message)
        return { end: 'returned', result: '"stale"' }
      },
    }
    const limits = { softTimeLimitMs: null, timeLimitMs: null }
    const deliver = deliverTo({ tasks: app.tasks, ports: ports as ExecutionPorts, defaults: limits })
    assert.deepEqual(await deliver(message), { verdict: 'ack' })
    assert.deepEqual(told, [
      [1, 'ran'],
      ['stale', 'release'],
    ])
    assert.equal((await store.find(message.id, message.lock.key))?.outcome?.result, '"later"')
    await app.close()
  })

  for (const [how, ended] of [
    ['running', 'LOCK_LOST'],
    ['told to stop', 'CLEARED'],
  ] as const) {
    it(`[P4] that a sweeper took for dead and ended, while ${how}, is not told a second time when it wakes`, async () => {
      const app = new App('deliver', { broker: 'memory:' })
      app.task('rollup', { once: { keys: [] } }, () => {})
      let time = 1_700_000_000_000
      const store = openLockStore({ server: memoryServer(() => time), app: 'deliver' })
      const events: ExecutionPorts['events'] = createEmitter()
      const told: unknown[] = []
      events.on('run:ended', ({ outcome }) => told.push(outcome))
      events.on('lock:stale', ({ step }) => told.push(`stale ${step}`))
      const message = await app.message(await app.targetOf('rollup'), [], {})
      const times = { publishLeaseMs: 1_000, resultMs: 60_000 }
      const ports: Partial<ExecutionPorts> = {
        store,
        events,
        worker: 'w1',
        now: () => time,
        leaseMs: 5_000,
        lockDelayMs: 1_000,
        hold: () => 0n,
        drop: () => {},
        promote: async () => {},
        async run() {
          if (how === 'told to stop') {
            await store.clear({ key: message.lock.key, parked: false, running: 'cancel', by: 'ada', ...times })
          }
          time += 60_000
          const { doubts } = await store.sweep({ limit: 10, ...times })
          const doubt = doubts[0] ?? assert.fail('no doubt')
          assert.equal((await store.resolve({ doubt, state: 'absent', maxDeliveries: 3, ...times })).outcome, 'freed')
          time += 1
          return { end: 'returned', result: '7' }
        },
      }
      const limits = { softTimeLimitMs: null, timeLimitMs: null }
      const deliver = deliverTo({ tasks: app.tasks, ports: ports as ExecutionPorts, defaults: limits })
      assert.deepEqual(await deliver(message), { verdict: 'ack' })
      assert.deepEqual(told, ['stale release'])
      assert.equal((await store.find(message.id, message.lock.key)).outcome?.code, ended)
      await app.close()
    })
  }

  it('[P10] of a task that its publisher did not know does not run once it was revoked under its private key', async () => {
    const app = new App('deliver', { broker: 'memory:' })
    app.task('rollup', { once: { keys: [] } }, () => {})
    const store = openLockStore({ server: memoryServer(), app: 'deliver' })
    const ports = { store, events: createEmitter(), worker: 'w1', now: Date.now } as Partial<ExecutionPorts>
    const limits = { softTimeLimitMs: null, timeLimitMs: null }
    const deliver = deliverTo({ tasks: app.tasks, ports: ports as ExecutionPorts, defaults: limits })
    const made = await app.message(await app.targetOf('elsewhere'), [], {})
    const message = { ...made, task: 'rollup' }
    const ref = { key: message.lock.key, messageId: message.id, round: 0 }
    await store.revoke({ ...ref, terminate: false, by: 'ada', publishLeaseMs: 1_000, resultMs: 60_000 })
    assert.deepEqual(await deliver(message), { verdict: 'ack' })
    await app.close()
  })

  it('[P23] of a task that its publisher did not know is acknowledged under the key that its worker computed as well', async () => {
    const app = new App('deliver', { broker: 'memory:' })
    app.task('rollup', { once: { keys: [] } }, () => {})
    const known = await app.message(await app.targetOf('rollup'), [], {})
    const made = await app.message(await app.targetOf('elsewhere'), [], {})
    const unknown = { ...made, task: 'rollup' }
    assert.deepEqual(keysOf(app.tasks, known), [known.lock.key])
    assert.deepEqual(keysOf(app.tasks, unknown), [made.lock.key, known.lock.key])
    assert.deepEqual(keysOf(app.tasks, made), [made.lock.key])
    await app.close()
  })
})
