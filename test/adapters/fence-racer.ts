import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { Pool } from 'pg'
import { fencedTransaction } from '../../adapters/postgres/fencing.js'
import { fencedWrite } from '../../adapters/redis/fencing.js'
import { StaleToken } from '../../src/task-base/error.js'

/**
 * A process that takes tokens in turn with others, is late with every third, and writes under each to the list or table
 * `raced`: `node fence-racer.js URL`. Tells by IPC how many were refused.
 */
const url = process.argv[2] ?? ''
const { take, write, close } = url.startsWith('redis') ? onRedis() : onPostgres()

function onRedis() {
  const redis = new Redis(url)
  return {
    take: () => redis.incr('tokens'),
    write: (token: number) => fencedWrite(redis, lockOf(token), [['rpush', 'raced', token]]),
    close: async () => redis.disconnect(),
  }
}

function onPostgres() {
  const pool = new Pool({ connectionString: url, max: 3 })
  return {
    take: async () => Number((await pool.query("select nextval('tokens') as token")).rows[0].token),
    write: (token: number) =>
      fencedTransaction(pool, lockOf(token), (client) =>
        client.query('insert into raced (token) values ($1)', [token]),
      ),
    close: () => pool.end(),
  }
}

function lockOf(token: number) {
  return { key: 'race', token, space: { app: 'race' } }
}

let refused = 0
async function one(): Promise<void> {
  const token = await take()
  if (token % 3 === 0) await sleep(1 + (token % 7))
  try {
    await write(token)
  } catch (error) {
    if (!(error instanceof StaleToken)) throw error
    refused += 1
  }
}

for (let n = 0; n < 100; n += 1) await Promise.all([one(), one(), one()])
await close()
process.send?.(refused)
process.disconnect?.()
