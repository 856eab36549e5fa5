import type { Redis } from 'ioredis'
import Redlock from 'redlock'
import { clientOf } from '../adapters/redis/client.js'
import { openLockStore } from '../adapters/redis/index.js'
import { defineScript, type Script } from '../adapters/redis/script.js'
import { comparison, type Line } from './line.js'
import { heldInTurn } from './request.js'
import { compare } from './sample.js'

const TTL_MS = 60_000

/** The least that a lock by scripts can do: no record, token, outcome or list. */
const TAKE = defineScript('bare take', ["return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])\n"])
const GIVE = defineScript('bare give', [
  "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0\n",
])

/**
 * The reads and writes of ours with nothing decided between them: what a record, its two indexes, a message that is
 * found by its id and an outcome that outlives the record cost on any road. No script of ours can be faster.
 */
const WRITE = defineScript('bare record', [
  `
redis.call('TIME')
redis.call('HGETALL', 'record:' .. KEYS[1])
redis.call('SET', 'message:' .. ARGV[1], ARGV[2], 'NX')
redis.call('HSET', 'record:' .. KEYS[1], '1', ARGV[2])
redis.call('ZADD', 'due', ARGV[3], KEYS[1])
redis.call('ZADD', 'index', 0, KEYS[1])
redis.call('SADD', 'apps', 'bench')
return 'granted'
`,
])
const WIPE = defineScript('bare outcome', [
  `
redis.call('TIME')
redis.call('HGETALL', 'record:' .. KEYS[1])
redis.call('LLEN', 'parked:' .. KEYS[1])
redis.call('GET', 'message:' .. ARGV[1])
redis.call('SET', 'message:' .. ARGV[1], ARGV[2], 'PX', ARGV[3])
if redis.call('LPUSH', 'outcomes:' .. KEYS[1], ARGV[1]) > 20 then redis.call('LTRIM', 'outcomes:' .. KEYS[1], 0, 19) end
redis.call('PEXPIRE', 'outcomes:' .. KEYS[1], ARGV[3])
redis.call('DEL', 'record:' .. KEYS[1])
redis.call('ZREM', 'due', KEYS[1])
redis.call('ZREM', 'index', KEYS[1])
return 'released'
`,
])
/** About as long as a packed hold and a packed outcome are. */
const PACKED = 'x'.repeat(150)

/** acquire + release beside a bare pair of scripts over the same kind of client, and beside `redlock` on one node. */
export async function redisPair({ url }: { readonly url: string }): Promise<Line[]> {
  const store = await openLockStore({ app: 'bench-pair', url, server: 'here' })
  const bare = clientOf(url, TTL_MS)
  const plain = clientOf(url, TTL_MS)
  const redlock = new Redlock([plain], { retryCount: 0 })
  redlock.on('error', () => {})
  await Promise.all([bare.connect(), plain.connect()])
  for (const { text } of [TAKE, GIVE, WRITE, WIPE]) await bare.call('SCRIPT', 'LOAD', text)
  const next = heldInTurn('bench.pair')
  let turn = 0
  const ours = async () => {
    const { request, release } = next()
    await store.acquire(request)
    await store.release(release)
  }
  const pair = async () => {
    turn += 1
    const key = `bare:${turn % 1_000}`
    await run(bare, TAKE, [key, `m${turn}`, String(TTL_MS)])
    await run(bare, GIVE, [key, `m${turn}`])
  }
  const writes = async () => {
    turn += 1
    const key = `written:${turn % 1_000}`
    await run(bare, WRITE, [key, `m${turn}`, PACKED, String(TTL_MS + turn)])
    await run(bare, WIPE, [key, `m${turn}`, PACKED, String(TTL_MS)])
  }
  const theirs = async () => {
    turn += 1
    await (await redlock.acquire([`redlock:${turn % 1_000}`], TTL_MS)).release()
  }
  try {
    const rounds = { rounds: 9, turns: 1_000 }
    const beside = (other: typeof ours) => compare({ ours, theirs: other }, rounds)
    const floor = await compare({ ours: writes, theirs: pair }, rounds)
    return [
      comparison('acquire + release on Redis, beside two bare scripts', await beside(pair), '≥ 0.9 ×'),
      comparison('acquire + release on Redis, beside redlock', await beside(theirs), '≥ 1.0 ×'),
      comparison('acquire + release on Redis, beside their reads and writes alone', await beside(writes), 'the floor'),
      comparison('those reads and writes alone, beside two bare scripts', floor, ''),
    ]
  } finally {
    await store.destroy()
    await store.close()
    bare.disconnect()
    plain.disconnect()
  }
}

function run(redis: Redis, { sha }: Script, [key, ...args]: readonly string[]): Promise<unknown> {
  return redis.call('EVALSHA', sha, '1', key as string, ...args)
}
