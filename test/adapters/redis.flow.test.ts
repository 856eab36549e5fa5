import { openLockStore, openScheduleStore } from '../../adapters/redis/index.js'
import { lockStoreContract, scheduleStoreContract } from '../contract/index.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { steady } from '../support/steady.js'
import { benchOf } from './redis-bench.js'

describe('Redis', function () {
  this.timeout(120_000)
  let server: RedisServer

  before(async () => {
    server = await startRedis()
  })
  after(() => server.stop())

  lockStoreContract(steady, () => benchOf(server.url, openLockStore))
  scheduleStoreContract(steady, () => benchOf(server.url, openScheduleStore))
})
