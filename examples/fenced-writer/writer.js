// A process that computes a report under its lock, and writes it when it is told to: once as anyone would, once fenced.
import { once } from 'node:events'
import { App, StaleToken } from 'beatlock'
import { fencedWrite } from 'beatlock/redis'
import { Redis } from 'ioredis'

const [, , url = '', name = '', report = ''] = process.argv
const app = new App('fenced-writer', { broker: url, locks: { lease: '5s' } })
const redis = new Redis(url)
const told = once(process, 'message')

try {
  await app.locks.run('report', { key: report, wait: '1m' }, async (lock) => {
    process.send?.({ token: lock.token, key: lock.key })
    // Any long step; the process is stopped in the middle of it. Nothing after it looks whether the lock is still there.
    await told
    await redis.set(`${report}:plain`, name)
    await fencedWrite(redis, lock, [['set', `${report}:fenced`, name]])
  })
  process.send?.({ written: true })
} catch (error) {
  // The run rejects with the loss of its lock; what the body threw is its cause.
  const cause = error instanceof Error ? error.cause : undefined
  if (!(cause instanceof StaleToken)) throw error
  process.send?.({ refused: `token ${cause.token} is lower than ${cause.highest}` })
}
redis.disconnect()
await app.close()
process.disconnect?.()
