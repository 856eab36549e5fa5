import assert from 'node:assert/strict'
import { openEngine } from '../../adapters/bullmq/index.js'
import { BrokerUnavailable } from '../../src/index.js'
import type { Engine } from '../../src/task-base/engine.js'
import { ACK, messageOf } from '../contract/engine/scene.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'
import { until } from '../support/until.js'

/** Some three times what a consumer waits for an answer. */
const PATIENCE = { timeoutMs: 45_000 }

describe('a connection to BullMQ on Redis that falls silent and is never closed', function () {
  this.timeout(120_000)
  let server: RedisServer
  let proxy: TcpProxy
  /** Past the proxy, and through it. */
  let near: Engine
  let far: Engine

  beforeEach(async () => {
    server = await startRedis()
    proxy = await startTcpProxy(server.port)
    near = await open(server.url)
    far = await open(`redis://127.0.0.1:${proxy.port}`)
  })
  afterEach(async () => {
    await far.close()
    await near.close()
    await proxy.stop()
    await server.stop()
  })

  it('(F3) is left by a consumer for a new one: what comes later is delivered', async () => {
    const delivered: string[] = []
    let finish = (): void => undefined
    const told = new Promise<void>((resolve) => {
      finish = resolve
    })
    const consumer = await far.consume({
      queues: ['default'],
      concurrency: 1,
      redeliverAfterMs: 60_000,
      deliver: async ({ message }) => {
        delivered.push(message.id)
        if (message.id === 'first') await told
        return ACK
      },
      acknowledged: () => undefined,
      trouble: () => undefined,
    })
    try {
      await publish(near, 'first')
      await until(() => delivered.includes('first'), { what: 'the first to be delivered' })
      proxy.swallow()
      finish()
      // The server did it, and the consumer hears no answer.
      await until(async () => (await near.counts('default')).active === 0, { what: 'the first to be acknowledged' })
      proxy.heal()
      await publish(near, 'second')
      await until(() => delivered.includes('second'), { ...PATIENCE, what: 'the second to be delivered' })
      assert.deepEqual(delivered, ['first', 'second'])
    } finally {
      finish()
      await consumer.close('now')
    }
  })

  it('[P24] (F3) is left by a publisher for a new one after what was not answered', async () => {
    await publish(far, 'first')
    proxy.swallow()
    await assert.rejects(publish(far, 'second'), BrokerUnavailable)
    proxy.heal()
    const taken = () =>
      publish(far, 'third').then(
        () => true,
        () => false,
      )
    assert.ok(await until(taken, { ...PATIENCE, what: 'the third to be taken' }))
    assert.equal((await near.counts('default')).waiting, 3)
  })
})

function open(url: string): Promise<Engine> {
  return openEngine({ app: 'silence', server: 'redis', redis: { url } })
}

function publish(engine: Engine, id: string): Promise<void> {
  return engine.publish(messageOf(id, { queue: 'default' }), { delayMs: 0, head: false })
}
