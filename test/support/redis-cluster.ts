import { Redis } from 'ioredis'
import { freePort, type RedisServer, startRedis } from './redis-server.js'
import { until } from './until.js'

/** A cluster of three primaries, with a replica of the first where one is asked for. */
export interface RedisCluster {
  /** `redis+cluster://…`, naming two of the nodes. */
  readonly url: string
  readonly primaries: readonly RedisServer[]
  readonly replica: RedisServer | undefined
  /** A plain client of one node. */
  on<T>(node: RedisServer, body: (redis: Redis) => Promise<T>): Promise<T>
  /** The primary that has this slot, as the last node sees it. */
  ownerOf(slot: number): Promise<RedisServer>
  /** The replica has all that was written to its primary so far. */
  replicated(): Promise<void>
  stop(): Promise<void>
}

const SLOTS = 16_384

export async function startRedisCluster({ replica: replicated = false } = {}): Promise<RedisCluster> {
  const nodes = await Promise.all(Array.from({ length: replicated ? 4 : 3 }, startNode))
  const servers = nodes.map(({ server }) => server)
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()))
  }
  try {
    await join(nodes)
  } catch (error) {
    await stop()
    throw error
  }
  const [first] = nodes as [Node]
  const primaries = servers.slice(0, 3)
  const replica = servers[3]
  return {
    url: `redis+cluster://${primaries
      .slice(0, 2)
      .map(({ port }) => `127.0.0.1:${port}`)
      .join(',')}`,
    primaries,
    replica,
    on,
    ownerOf: (slot) =>
      on(primaries[2] as RedisServer, async (redis) => {
        const ranges = (await redis.call('CLUSTER', 'SLOTS')) as [number, number, [string, number]][]
        const port = ranges.find(([from, to]) => from <= slot && slot <= to)?.[2][1]
        return servers.find((server) => server.port === port) as RedisServer
      }),
    replicated: () =>
      on(first.server, async (redis) => {
        const caughtUp = async (): Promise<boolean> => {
          // `{06S}` has slot 0, which is the first node's.
          await redis.set('{06S}replicated', '1')
          return (await redis.wait(1, 500)) === 1
        }
        await until(caughtUp, { what: 'the replica to catch up' })
      }),
    stop,
  }
}

/** Makes one cluster of them: three that have slots, and a fourth that follows the first. */
async function join(nodes: readonly Node[]): Promise<void> {
  const servers = nodes.map(({ server }) => server)
  const replica = servers[3]
  for (const [n, server] of servers.slice(0, 3).entries()) {
    const range = [Math.floor((n * SLOTS) / 3), Math.floor(((n + 1) * SLOTS) / 3) - 1]
    await on(server, async (redis) => {
      // Each its own epoch, as redis-cli gives them: else nodes settle that among themselves first.
      await redis.call('CLUSTER', 'SET-CONFIG-EPOCH', n + 1)
      await redis.call('CLUSTER', 'ADDSLOTSRANGE', ...range)
    })
  }
  const [first] = nodes as [Node]
  for (const { server } of nodes.slice(1)) {
    await on(server, (redis) => redis.call('CLUSTER', 'MEET', '127.0.0.1', first.server.port, first.busPort))
  }
  const all = (text: string) =>
    everyNode(servers, async (redis) => String(await redis.call('CLUSTER', 'INFO')).includes(text))
  await until(() => all(`cluster_known_nodes:${nodes.length}`), { what: 'the nodes to know each other' })
  if (replica) {
    const id = await on(first.server, (redis) => redis.call('CLUSTER', 'MYID'))
    await on(replica, (redis) => redis.call('CLUSTER', 'REPLICATE', String(id)))
    await until(
      () => on(replica, async (redis) => (await redis.info('replication')).includes('master_link_status:up')),
      {
        what: 'the replica to follow',
      },
    )
    await until(() => everyNode(servers, async (redis) => /slave/.test(String(await redis.call('CLUSTER', 'NODES')))), {
      what: 'all to know the replica',
    })
  }
  await until(() => all('cluster_state:ok'), { what: 'the cluster to serve' })
}

interface Node {
  readonly server: RedisServer
  readonly busPort: number
}

async function startNode(): Promise<Node> {
  const busPort = await freePort()
  const cluster = ['--cluster-enabled', 'yes', '--cluster-port', `${busPort}`, '--cluster-node-timeout', '1500']
  return { server: await startRedis({ extra: cluster }), busPort }
}

async function on<T>({ port }: RedisServer, body: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(port, '127.0.0.1', { protocol: 2, retryStrategy: () => null })
  redis.on('error', () => undefined)
  try {
    return await body(redis)
  } finally {
    redis.disconnect()
  }
}

async function everyNode(servers: readonly RedisServer[], holds: (redis: Redis) => Promise<boolean>): Promise<boolean> {
  return (await Promise.all(servers.map((server) => on(server, holds)))).every(Boolean)
}
