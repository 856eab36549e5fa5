import type { SharedIncreased, SharedStore } from '../../src/lock/shared.js'
import { scriptOn } from './argument.js'
import type { Connection } from './connection.js'
import { numberOf } from './reply.js'
import type { Script } from './script.js'
import { DELETE_SHARED, INCREASE_SHARED, SET_SHARED, SWAP_SHARED } from './scripts/shared.js'
import { shardOf } from './shard.js'

/** Shared values, each a key of its own. */
export function redisShared(connection: Connection, app: string): SharedStore {
  const nameOf = (key: string) => `${shardOf('lock', app, key).base}shared:${key}`
  const change = async (
    script: Script,
    args: readonly [requestId: string, key: string, ...rest: (string | number | null)[]],
  ) => String(await connection.ask(scriptOn(shardOf('lock', app, args[1]), app, script, args)))
  return {
    async get(key) {
      const text = await connection.ask({ command: 'GET', args: [nameOf(key)] })
      return text === null ? null : String(text)
    },
    async ttl(key) {
      const left = numberOf(await connection.ask({ command: 'PTTL', args: [nameOf(key)] }))
      return left === -2 ? null : left === -1 ? 'forever' : left
    },
    set: async ({ requestId, key, value, ttlMs }) => void (await change(SET_SHARED, [requestId, key, value, ttlMs])),
    compareAndSet: async ({ requestId, key, value, ttlMs, expected }) =>
      (await change(SWAP_SHARED, [requestId, key, value, ttlMs, expected])) === '1',
    increment: async ({ requestId, key, by, ttlMs }) =>
      increasedOf(await change(INCREASE_SHARED, [requestId, key, by, ttlMs])),
    delete: async ({ requestId, key }) => (await change(DELETE_SHARED, [requestId, key])) === '1',
  }
}

function increasedOf(text: string): SharedIncreased {
  if (text === 'no number' || text === 'too large') return { outcome: text }
  return { outcome: 'increased', value: Number(text) }
}
