import { Redis } from 'ioredis'
import { type RedisServer, startRedis } from './redis-server.js'
import { until } from './until.js'

/** A primary with a replica, and three sentinels that watch them. All data nodes have one password, the sentinels another. */
export interface Sentinels {
  /** `redis+sentinel://…` of all three, with both passwords. */
  readonly url: string
  readonly hosts: string
  readonly dataPassword: string
  readonly sentinelPassword: string
  /** The one that the sentinels name now. */
  primary(): Promise<RedisServer>
  /** What was written so far is on the replica, too. */
  replicated(): Promise<void>
  /** All sentinels name the other node. */
  follow(old: RedisServer): Promise<void>
  /** Makes the replica the primary while the old one lives. */
  switchOver(): Promise<void>
  stop(): Promise<void>
}

const NAME = 'mymaster'

export async function startSentinels(): Promise<Sentinels> {
  const [dataPassword, sentinelPassword] = ['d4ta-pw', 's3ntinel-pw']
  const login = ['--requirepass', dataPassword, '--masterauth', dataPassword]
  const first = await startRedis({ extra: login })
  const second = await startRedis({ extra: [...login, '--replicaof', '127.0.0.1', `${first.port}`] })
  const watched = [
    `requirepass ${sentinelPassword}`,
    `sentinel sentinel-pass ${sentinelPassword}`,
    `sentinel monitor ${NAME} 127.0.0.1 ${first.port} 2`,
    `sentinel auth-pass ${NAME} ${dataPassword}`,
    `sentinel down-after-milliseconds ${NAME} 1000`,
    `sentinel failover-timeout ${NAME} 5000`,
  ]
  const sentinels = await Promise.all([1, 2, 3].map(() => startRedis({ sentinel: watched })))
  const data = [first, second]
  const ask = async <T>({ port }: RedisServer, password: string, body: (redis: Redis) => Promise<T>): Promise<T> => {
    const redis = new Redis({ port, host: '127.0.0.1', password, protocol: 2, retryStrategy: () => null })
    redis.on('error', () => undefined)
    try {
      return await body(redis)
    } finally {
      redis.disconnect()
    }
  }
  const told = (sentinel: RedisServer): Promise<Record<string, string>> =>
    ask(sentinel, sentinelPassword, async (redis) => {
      const flat = (await redis.call('SENTINEL', 'MASTER', NAME)) as string[]
      return Object.fromEntries(Array.from({ length: flat.length / 2 }, (_, n) => [flat[2 * n], flat[2 * n + 1]]))
    })
  const agreed = async (port?: number): Promise<boolean> => {
    const views = await Promise.all(sentinels.map(told))
    return views.every(
      (view) =>
        view['num-other-sentinels'] === '2' &&
        Number(view['num-slaves']) >= 1 &&
        (port === undefined || view['port'] === `${port}`),
    )
  }
  await until(agreed, { what: 'the sentinels to know each other and the replica' })
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')
  const primary = async (): Promise<RedisServer> => {
    const { port } = await told(sentinels[0] as RedisServer)
    return data.find((each) => `${each.port}` === port) as RedisServer
  }
  const replicated = async (): Promise<void> =>
    ask(await primary(), dataPassword, async (redis) => {
      const caughtUp = async (): Promise<boolean> => {
        await redis.set('replicated', '1')
        return (await redis.wait(1, 500)) === 1
      }
      await until(caughtUp, { what: 'the replica to catch up' })
    })
  const follow = async (old: RedisServer): Promise<void> => {
    const next = data.find((each) => each !== old) as RedisServer
    await until(() => agreed(next.port), { what: 'all sentinels to name the other node' })
  }
  return {
    follow,
    url: `redis+sentinel://:${dataPassword}@${hosts}/${NAME}/0?sentinelPassword=${sentinelPassword}`,
    hosts,
    dataPassword,
    sentinelPassword,
    primary,
    replicated,
    switchOver: async () => {
      const old = await primary()
      await replicated()
      // Sentinels that are busy, or that do not know the replica well yet, refuse.
      const begun = async (): Promise<boolean> =>
        ask(sentinels[0] as RedisServer, sentinelPassword, async (redis) =>
          redis.call('SENTINEL', 'FAILOVER', NAME).then(
            () => true,
            () => false,
          ),
        )
      await until(begun, { everyMs: 200, what: 'the sentinels to begin the switch' })
      // One that was begun may come to nothing, as where the replica was not heard of lately: it is asked for again.
      const stays = async (): Promise<boolean> => (await primary()) === old && (await begun())
      const again = setInterval(() => void stays().catch(() => false), 3_000)
      await follow(old).finally(() => clearInterval(again))
      // Until then it takes writes that nobody will know of.
      const demoted = () =>
        // It ends its connections when it becomes one.
        ask(old, dataPassword, async (redis) => (await redis.info('replication')).includes('role:slave')).catch(
          () => false,
        )
      await until(demoted, { what: 'the old primary to be a replica' })
    },
    stop: async () => {
      await Promise.all([...sentinels, ...data].map((each) => each.stop()))
    },
  }
}
