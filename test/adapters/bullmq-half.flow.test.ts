import assert from 'node:assert/strict'
import type { Backend } from '../../adapters/bullmq/backend.js'
import { openEngine } from '../../adapters/bullmq/index.js'
import { postgresBackend } from '../../adapters/bullmq/postgres-backend.js'
import { redisBackend } from '../../adapters/bullmq/redis-backend.js'
import type { Engine } from '../../src/task-base/engine.js'
import { startPostgres } from '../support/postgres-server.js'
import { startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'

interface Place {
  readonly stop: () => Promise<void>
  /** An engine, and a way past it into its queues. */
  readonly open: () => Promise<{ engine: Engine; backend: Backend }>
}

const of = { app: 'half', trouble: () => undefined }

const PLACES: Record<string, () => Promise<Place>> = {
  async redis() {
    const { url, stop } = await startRedis()
    const backend = () => redisBackend({ ...of, url })
    return {
      stop,
      open: async () => ({
        engine: await openEngine({ app: 'half', server: 'redis', redis: { url } }),
        backend: backend(),
      }),
    }
  },
  async postgres() {
    const { connection, stop } = await startPostgres()
    const backend = () => postgresBackend({ ...of, connection })
    return {
      stop,
      open: async () => ({
        engine: await openEngine({ app: 'half', server: 'postgres', postgres: { connection } }),
        backend: backend(),
      }),
    }
  },
}

for (const [name, start] of Object.entries(PLACES)) {
  describe(`a foreign job on ${name}`, function () {
    this.timeout(120_000)
    let place: Place

    before(async () => {
      place = await start()
    })
    after(() => place?.stop())

    it('a job that is no whole message is put back, named in a trouble, and dropped when it is an hour old', async () => {
      const { engine, backend } = await place.open()
      await backend.ready()
      const queue = backend.openQueue(backend.queueName('halves'))
      const body = { v: 1, h: { id: 'x', task: 't', label: 't' } }
      const old = { timestamp: Date.now() - 3_700_000 }
      await queue.add('t', { ...body, body: '{"v":1}' }, { jobId: 'm-young' })
      await queue.add('t', { ...body, body: '{"v":1}' }, { jobId: 'm-old', ...old })
      await queue.add('t', { ...body, body: '{"v":2}' }, { jobId: 'm-newer', ...old })
      await queue.add('t', null, { jobId: 'm-foreign', ...old })
      const troubles: string[] = []
      const consumer = await engine.consume({
        queues: ['halves'],
        concurrency: 1,
        redeliverAfterMs: 1_500,
        deliver: () => assert.fail('there is nothing to deliver'),
        acknowledged: () => assert.fail('there is nothing to acknowledge'),
        trouble: ({ message }) => void troubles.push(message),
      })
      try {
        const counts = () => engine.counts('halves')
        await until(
          async () => (await counts()).delayed === 2 && (await counts()).waiting + (await counts()).active === 0,
        )
        const about = (id: string) => troubles.filter((text) => text.startsWith(`job ${id} of queue `)).join()
        assert.match(about('m-young'), /is put back: half a message arrived: its id is missing/)
        assert.match(about('m-old'), /is dropped, since nobody could read it for an hour: half a message arrived/)
        assert.match(about('m-newer'), /is put back: a message of an unknown version \(v: 2\)/)
        assert.match(about('m-foreign'), /is dropped/)
      } finally {
        await consumer.close('now')
        await engine.destroy(['halves'])
        await queue.close()
        await backend.close()
        await engine.close()
      }
    })
  })
}
