import { openLockStore, openScheduleStore } from '../../adapters/redis/index.js'
import { lockStoreContract, scheduleStoreContract } from '../contract/index.js'
import { type RedisCluster, startRedisCluster } from '../support/redis-cluster.js'
import { steady } from '../support/steady.js'
import { benchOf } from './redis-bench.js'

describe('a Redis cluster', function () {
  this.timeout(120_000)
  let cluster: RedisCluster

  before(async () => {
    cluster = await startRedisCluster()
  })
  after(() => cluster?.stop())

  lockStoreContract(steady, () => benchOf(cluster.url, openLockStore))
  scheduleStoreContract(steady, () => benchOf(cluster.url, openScheduleStore))
})
