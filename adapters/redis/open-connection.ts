import { UsageError } from '../../src/lock/error.js'
import { redisPlace } from '../../src/task-base/redis-source.js'
import { ClusterConnection } from './cluster-connection.js'
import { type Connection, NodeConnection, type RedisOptions } from './connection.js'

/** @throws as `openLockStore` */
export async function openConnection(options: RedisOptions): Promise<Connection> {
  const clustered = redisPlace(options.url).form === 'cluster'
  if (clustered && options.waitReplicas)
    throw new UsageError('locks.waitReplicas is not available on a Redis cluster; leave it out.')
  const connection = clustered ? new ClusterConnection(options) : new NodeConnection(options)
  await connection.open()
  return connection
}
