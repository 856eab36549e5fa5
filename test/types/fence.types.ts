import type { Cluster, Redis } from 'ioredis'
import { Client, type Pool, type PoolClient } from 'pg'
import { fencedTransaction } from '../../adapters/postgres/fencing.js'
import { fencedWrite } from '../../adapters/redis/fencing.js'
import { type App, currentRequest, guard, QueueOnce } from '../../src/index.js'

/** Compiled, never run: what the compiler must accept and refuse. */
export class Rollup extends QueueOnce {
  readonly name = 'rollup'
  readonly pool: Pool = {} as Pool
  async run(day: string): Promise<number | null> {
    const { rowCount } = await fencedTransaction(this.pool, this.request.lock, (client) =>
      client.query('update totals set n = n + 1 where day = $1', [day]),
    )
    return rowCount
  }
}

export async function accepted(app: App, pool: Pool, redis: Redis, cluster: Cluster): Promise<void> {
  const typed: number = await fencedTransaction(pool, currentRequest().lock, async (client: PoolClient) => {
    const { rows } = await client.query<{ n: number }>('select 1 as n')
    return rows[0]?.n ?? 0
  })
  await fencedTransaction(new Client(), currentRequest().lock, (client) => client.query('select 1'), { schema: 'shop' })
  await guard(app, { name: 'nightly' }, async (lock) => {
    await fencedTransaction(pool, lock, () => 1, { signal: lock.signal, isolation: 'serializable' })
    await fencedWrite(
      redis,
      lock,
      [
        ['set', 'report:7', 'text'],
        ['rpush', 'list', 7, new Uint8Array(1)],
      ],
      { ttl: '7d' },
    )
  })()
  const lock = { key: 'import:7', token: 7, space: { app: 'shop' } }
  const replies: unknown[] = await fencedWrite(cluster, lock, [['del', 'report:7']])
  void [typed, replies]
}

export async function refused(pool: Pool, redis: Redis): Promise<void> {
  // @ts-expect-error: no token.
  await fencedTransaction(pool, { key: 'import:7' }, () => 1)
  // @ts-expect-error: an isolation that is none.
  await fencedTransaction(pool, currentRequest().lock, () => 1, { isolation: 'snapshot' })
  // @ts-expect-error: a command without a key.
  await fencedWrite(redis, currentRequest().lock, [['flushall']])
}
