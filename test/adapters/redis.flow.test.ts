import { openLockStore, openScheduleStore } from '../../adapters/redis/index.js'
import { lockStoreContract, lockStoreRecoveryContract, scheduleStoreContract } from '../contract/index.js'
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
  lockStoreRecoveryContract(steady, async () => {
    const bench = await benchOf(server.url, openLockStore)
    // Done behind the back of the bench's own client, which remembers.
    const other = await bench.another()
    return { ...bench, lose: () => other.destroy() }
  })
  scheduleStoreContract(steady, () => benchOf(server.url, openScheduleStore))
})
