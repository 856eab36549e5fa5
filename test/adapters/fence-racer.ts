import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { fencedWrite } from '../../adapters/redis/fencing.js'
import { StaleToken } from '../../src/task-base/error.js'

/** A process that takes tokens in turn with others and writes late: `node fence-racer.js redis://…`. */
const redis = new Redis(process.argv[2] ?? '')

async function one(): Promise<void> {
  const token = await redis.incr('tokens')
  if (token % 3 === 0) await sleep(token % 7)
  try {
    await fencedWrite(redis, { key: 'race', token, space: { app: 'race' } }, [['rpush', 'raced', token]])
  } catch (error) {
    if (!(error instanceof StaleToken)) throw error
    await redis.incr('refused')
  }
}

for (let n = 0; n < 100; n += 1) await Promise.all([one(), one(), one()])
redis.disconnect()
