import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type EngineOptions, openEngine } from '../../adapters/bullmq/index.js'
import { BrokerUnavailable } from '../../src/lock/error.js'
import { lockKey } from '../../src/lock/key.js'
import type { ConsumeOptions, Consumer, Engine, Verdict } from '../../src/task-base/engine.js'
import type { Message } from '../../src/task-base/message.js'
import { ranMs } from '../support/machine-time.js'
import { startPostgres } from '../support/postgres-server.js'
import { startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'

const USER = fileURLToPath(new URL('../support/engine-user.js', import.meta.url))
const REDELIVER_MS = 1_500
const ACK: Verdict = { verdict: 'ack' }

interface Place {
  readonly options: EngineOptions
  stop(): Promise<void>
  restart(): Promise<void>
  remove(): Promise<void>
}

const PLACES: Record<string, () => Promise<Place>> = {
  async redis() {
    const server = await startRedis({ appendonly: true })
    const options = { app: 'fault', server: 'the broker', redis: { url: server.url } }
    return { options, stop: server.stop, restart: server.restart, remove: server.stop }
  },
  async postgres() {
    const server = await startPostgres()
    const options = { app: 'fault', server: 'the broker', postgres: { connection: server.connection } }
    return { options, stop: server.stop, restart: server.restart, remove: server.remove }
  },
}

for (const [name, start] of Object.entries(PLACES)) {
  describe(`BullMQ on ${name}, when things break`, function () {
    this.timeout(120_000)
    let place: Place
    let engine: Engine
    const consumers: Consumer[] = []
    const children: ChildProcess[] = []
    let queue: string
    let tests = 0

    before(async () => {
      place = await start()
    })
    beforeEach(async () => {
      tests += 1
      queue = `q${tests}`
      engine = await openEngine(place.options)
    })
    afterEach(async () => {
      for (const child of children.splice(0)) child.kill('SIGKILL')
      await place.restart()
      for (const consumer of consumers.splice(0)) await consumer.close('now')
      await engine.close()
    })
    after(() => place.remove())

    const publish = (id: string, of = queue): Promise<void> =>
      engine.publish(messageOf(id, of), { delayMs: 0, head: false })

    async function consume(
      deliver: ConsumeOptions['deliver'],
      over: Partial<ConsumeOptions> = {},
    ): Promise<{ consumer: Consumer; acknowledged: string[] }> {
      const acknowledged: string[] = []
      const consumer = await engine.consume({
        queues: [queue],
        concurrency: 1,
        redeliverAfterMs: REDELIVER_MS,
        deliver,
        acknowledged: ({ id }) => void acknowledged.push(id),
        trouble: () => {},
        ...over,
      })
      consumers.push(consumer)
      return { consumer, acknowledged }
    }

    function user(then: 'hold' | 'close' | 'closeNow'): ChildProcess {
      const child = fork(USER)
      children.push(child)
      child.send({ engine: place.options, queue, redeliverAfterMs: REDELIVER_MS, then })
      return child
    }

    it('[P13] a message whose consumer is killed comes again, the same, within twice the time of its redelivery', async () => {
      await publish('a')
      const child = user('hold')
      assert.deepEqual(await once(child, 'message'), ['a', undefined])
      const seen: string[] = []
      await consume(async ({ message }) => {
        seen.push(message.id)
        return ACK
      })
      child.kill('SIGKILL')
      await once(child, 'exit')
      const killedNs = process.hrtime.bigint()
      await until(() => seen.length > 0, { what: 'the redelivery' })
      assert.ok(ranMs(killedNs) < 2 * REDELIVER_MS + 250, `${ranMs(killedNs)} ms`)
      assert.deepEqual(seen, ['a'])
    })

    it('a consumer and a publisher that sat idle go on after a restart of the server', async () => {
      const { acknowledged } = await consume(async () => ACK)
      await publish('before')
      await until(() => acknowledged.includes('before'), { what: 'the first acknowledgement' })
      await place.restart()
      await until(
        () =>
          publish('after').then(
            () => true,
            () => false,
          ),
        { what: 'the publish' },
      )
      await until(() => acknowledged.includes('after'), { what: 'the second acknowledgement', timeoutMs: 6_000 })
    })

    it('a consumer goes on within seconds after an outage', async () => {
      const { acknowledged } = await consume(async () => ACK)
      await place.stop()
      await sleep(1_500)
      await place.restart()
      await until(
        () =>
          publish('after').then(
            () => true,
            () => false,
          ),
        { what: 'the publish' },
      )
      await until(() => acknowledged.includes('after'), { what: 'the acknowledgement', timeoutMs: 6_000 })
    })

    it('[P24] a server that is away is BrokerUnavailable, soon, for every call', async () => {
      await publish('before')
      await place.stop()
      const calls: Record<string, () => Promise<unknown>> = {
        open: () => openEngine(place.options),
        publish: () => publish('a'),
        'publish to another queue': () => publish('a', `${queue}-other`),
        state: () => engine.state(queue, 'a'),
        counts: () => engine.counts(queue),
        consume: () => consume(async () => ACK),
      }
      for (const [what, call] of Object.entries(calls)) {
        const askedNs = process.hrtime.bigint()
        await assert.rejects(call, (error) => error instanceof BrokerUnavailable && error.server === 'the broker', what)
        assert.ok(ranMs(askedNs) < 6_500, `${what} took ${ranMs(askedNs)} ms`)
      }
    })

    it('a queue first named while the server was away is served once it is back', async () => {
      await place.stop()
      const other = `${queue}-other`
      await Promise.all([1, 2, 3].map(() => assert.rejects(publish('a', other), BrokerUnavailable)))
      await place.restart()
      await until(
        () =>
          publish('a', other).then(
            () => true,
            () => false,
          ),
        { what: 'the publish' },
      )
      assert.equal(await engine.state(other, 'a'), 'waiting')
    })

    it('[P11] a message put back while the server is away comes again', async () => {
      await publish('a')
      let deliveries = 0
      const { acknowledged } = await consume(async () => {
        deliveries += 1
        if (deliveries > 1) return ACK
        await place.stop()
        return { verdict: 'putBack', delayMs: 200 }
      })
      await until(() => deliveries === 1, { what: 'the delivery' })
      await sleep(1_000)
      await place.restart()
      await until(() => acknowledged.length > 0, { what: 'the acknowledgement' })
    })

    it('a consumer that is paused while it waits for work delivers nothing', async () => {
      let taken = 0
      const idle = await consume(async () => {
        taken += 1
        return ACK
      })
      await sleep(100)
      await idle.consumer.pause()
      await publish('a')
      const { acknowledged } = await consume(async () => ACK)
      await until(() => acknowledged.length === 1, { what: 'the other consumer' })
      assert.equal(taken, 0)
    })

    it('[P22] a consumer that finishes starts nothing of its other queues', async () => {
      const other = `${queue}-other`
      await publish('a')
      const seen: string[] = []
      let end: (verdict: Verdict) => void = () => {}
      const { consumer } = await consume(
        ({ message }) => {
          seen.push(message.id)
          return new Promise((resolve) => {
            end = resolve
          })
        },
        { queues: [queue, other] },
      )
      await until(() => seen.length === 1, { what: 'the delivery' })
      await publish('b', other)
      await until(async () => (await engine.state(other, 'b')) === 'active', { what: 'b to be taken' })
      const closing = consumer.close('finish')
      await until(async () => (await engine.state(other, 'b')) === 'waiting', { what: 'b to be given back' })
      end(ACK)
      await closing
      assert.deepEqual(seen, ['a'])
    })

    it('a full consumer hands on what it has no place for', async () => {
      const other = `${queue}-other`
      await publish('a')
      let held = 0
      await consume(
        () => {
          held += 1
          return new Promise(() => {})
        },
        { queues: [queue, other] },
      )
      await until(() => held === 1, { what: 'the delivery' })
      await publish('b', other)
      await until(async () => (await engine.state(other, 'b')) === 'active', { what: 'b to be taken' })
      const { acknowledged } = await consume(async () => ACK, { queues: [other] })
      await until(() => acknowledged.includes('b'), { what: 'b to be delivered elsewhere' })
    })

    it('leaves no socket or timer: a process ends by itself once it has closed', async () => {
      await publish('a')
      const child = user('close')
      assert.deepEqual(await once(child, 'exit'), [0, null])
    })

    it('nor does one that closes at once while a delayed message waits in its queue', async () => {
      await engine.publish(messageOf('later', queue), { delayMs: 60_000, head: false })
      await publish('a')
      const child = user('closeNow')
      assert.deepEqual(await once(child, 'exit', { signal: AbortSignal.timeout(50_000) }), [0, null])
    })
  })
}

function messageOf(id: string, queue: string): Message {
  return {
    v: 1,
    id,
    app: 'fault',
    task: 'fault.task',
    args: [],
    queue,
    round: 0,
    priority: null,
    publishedAt: Date.now(),
    notBefore: null,
    expiresAt: null,
    maxRetries: 3,
    resultMs: 60_000,
    lock: {
      key: lockKey('fault.task', '[]'),
      label: 'fault.task()',
      known: true,
      guarded: true,
      held: true,
      overlap: 'skip',
      keep: 'first',
      maxParked: 1,
      minRunMs: 0,
      timeoutMs: 60_000,
      limit: 1,
      mode: 'untilExecuted',
    },
  }
}
