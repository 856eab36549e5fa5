import type { Redis } from 'ioredis'
import Redlock from 'redlock'
import { clientOf } from '../adapters/redis/client.js'
import { openLockStore } from '../adapters/redis/index.js'
import { defineScript, type Script } from '../adapters/redis/script.js'
import { lockKey } from '../src/lock/key.js'
import { comparison, type Line } from './line.js'
import { held } from './request.js'
import { compare } from './sample.js'

const TTL_MS = 60_000

/** The least that a lock by scripts can do: no record, token, outcome or list. */
const TAKE = defineScript('bare take', ["return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])\n"])
const GIVE = defineScript('bare give', [
  "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0\n",
])

/** acquire + release beside a bare pair of scripts over the same kind of client, and beside `redlock` on one node. */
export async function redisPair({ url }: { readonly url: string }): Promise<Line[]> {
  const store = await openLockStore({ app: 'bench-pair', url, server: 'here' })
  const bare = clientOf(url, TTL_MS)
  const plain = clientOf(url, TTL_MS)
  const redlock = new Redlock([plain], { retryCount: 0 })
  redlock.on('error', () => {})
  await Promise.all([bare.connect(), plain.connect()])
  for (const { text } of [TAKE, GIVE]) await bare.call('SCRIPT', 'LOAD', text)
  let turn = 0
  const ours = async () => {
    turn += 1
    const { request, release } = held(lockKey('bench.pair', `[${turn % 1_000}]`), `m${turn}`)
    await store.acquire(request)
    await store.release(release)
  }
  const pair = async () => {
    turn += 1
    const key = `bare:${turn % 1_000}`
    await run(bare, TAKE, [key, `m${turn}`, String(TTL_MS)])
    await run(bare, GIVE, [key, `m${turn}`])
  }
  const theirs = async () => {
    turn += 1
    await (await redlock.acquire([`redlock:${turn % 1_000}`], TTL_MS)).release()
  }
  try {
    const rounds = { rounds: 9, turns: 1_000 }
    return [
      comparison(
        'acquire + release on Redis, beside two bare scripts',
        await compare({ ours, theirs: pair }, rounds),
        '≥ 0.9 ×',
      ),
      comparison('acquire + release on Redis, beside redlock', await compare({ ours, theirs }, rounds), '≥ 1.0 ×'),
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
