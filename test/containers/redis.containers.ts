import { openEngine } from '../../adapters/bullmq/index.js'
import { openLockStore, openScheduleStore } from '../../adapters/redis/index.js'
import { benchOf } from '../adapters/redis-bench.js'
import { engineContract, lockStoreContract, scheduleStoreContract } from '../contract/index.js'
import { steady } from '../support/steady.js'
import { type Contained, containedRedis } from './container.js'
import { engineBenchOf } from './engine-bench.js'

describe('Redis in a container', function () {
  this.timeout(120_000)
  let server: Contained<{ url: string }>

  before(async () => {
    server = await containedRedis()
  })
  after(() => server?.remove())

  lockStoreContract(steady, () => benchOf(server.place.url, openLockStore))
  scheduleStoreContract(steady, () => benchOf(server.place.url, openScheduleStore))
  engineContract(steady, () => engineBenchOf(() => openEngine({ app: 'suite', server: 'redis', redis: server.place })))
})
