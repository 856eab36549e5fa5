import { Queue } from 'bullmq'
import { openScheduleStore } from '../adapters/redis/index.js'
import { mergeConfig } from '../src/beat/merge.js'
import type { EntryPut } from '../src/beat/schedule-store.js'
import { withRedis } from '../test/support/redis-client.js'
import type { RedisServer } from '../test/support/redis-server.js'
import { type Line, ms } from './line.js'

const ENTRIES = 10_000
/** Calls of BullMQ that are on their way at once; one after the other they would measure the wire. */
const AT_ONCE = 500

/** The same timetable put into an empty Redis by us, and by BullMQ as job schedulers with their next jobs. */
export async function jobSchedulers(redis: RedisServer, putOf: (n: number) => EntryPut): Promise<Line[]> {
  const store = await openScheduleStore({ app: 'bench-put', url: redis.url, server: 'here' })
  const config = Array.from({ length: ENTRIES }, (_, n) => putOf(n))
  const ours = await cost(redis, () => mergeConfig(store, config))
  await store.destroy()
  await store.close()
  const queue = new Queue('bench-schedulers', { connection: { host: '127.0.0.1', port: redis.port } })
  await queue.waitUntilReady()
  const theirs = await cost(redis, () => upsertAll(queue, config))
  await queue.obliterate({ force: true })
  await queue.close()
  const what = `beat on Redis: ${ENTRIES} new entries, beside BullMQ's job schedulers`
  const none = { ratio: '', goal: '' }
  return [
    { ...none, what, ours: ms(ours.tookMs), beside: ms(theirs.tookMs) },
    { ...none, what: 'the same: memory of the server', ours: each(ours.bytes), beside: each(theirs.bytes) },
  ]
}

async function upsertAll(queue: Queue, config: readonly EntryPut[]): Promise<void> {
  for (let from = 0; from < config.length; from += AT_ONCE) {
    const some = config.slice(from, from + AT_ONCE)
    await Promise.all(
      some.map(({ name, spec }) => {
        const { schedule, task, args } = JSON.parse(spec) as { schedule: string; task: string; args: unknown[] }
        return queue.upsertJobScheduler(name, repeatOf(schedule), { name: task, data: args })
      }),
    )
  }
}

function repeatOf(schedule: string): { every: number } | { pattern: string } {
  if (schedule === '1h') return { every: 3_600_000 }
  return schedule === '1d' ? { every: 86_400_000 } : { pattern: schedule }
}

async function cost(redis: RedisServer, work: () => Promise<unknown>): Promise<{ tookMs: number; bytes: number }> {
  const before = await usedMemory(redis)
  const begin = performance.now()
  await work()
  return { tookMs: performance.now() - begin, bytes: (await usedMemory(redis)) - before }
}

function usedMemory(redis: RedisServer): Promise<number> {
  return withRedis(redis, async (client) => Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]))
}

function each(bytes: number): string {
  return `${Math.round(bytes / ENTRIES)} bytes an entry`
}
