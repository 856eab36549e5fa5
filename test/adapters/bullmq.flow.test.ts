import { openEngine } from '../../adapters/bullmq/index.js'
import type { Engine } from '../../src/task-base/engine.js'
import { engineContract } from '../contract/engine.contract.js'
import { startPostgres } from '../support/postgres-server.js'
import { startRedisCluster } from '../support/redis-cluster.js'
import { startRedis } from '../support/redis-server.js'
import { steady } from '../support/steady.js'

interface Place {
  readonly stop: () => Promise<void>
  readonly open: () => Promise<Engine>
}

const PLACES: Record<string, () => Promise<Place>> = {
  async redis() {
    const { url, stop } = await startRedis()
    return { stop, open: () => openEngine({ app: 'suite', server: 'redis', redis: { url } }) }
  },
  async 'a Redis cluster'() {
    const { url, stop } = await startRedisCluster()
    return { stop, open: () => openEngine({ app: 'suite', server: 'redis', redis: { url } }) }
  },
  async postgres() {
    const { connection, stop } = await startPostgres()
    return { stop, open: () => openEngine({ app: 'suite', server: 'postgres', postgres: { connection } }) }
  },
}

for (const [name, start] of Object.entries(PLACES)) {
  describe(`BullMQ on ${name}`, function () {
    this.timeout(120_000)
    let place: Place

    before(async () => {
      place = await start()
    })
    after(() => place?.stop())

    engineContract(steady, async () => {
      const engines: Engine[] = []
      const another = async (): Promise<Engine> => {
        const engine = await place.open()
        engines.push(engine)
        return engine
      }
      const engine = await another()
      const close = async (queues: readonly string[]): Promise<void> => {
        await engine.destroy(queues)
        for (const each of engines) await each.close()
      }
      return { engine, another, close }
    })
  })
}
