import type { SharedIncreased, SharedStore } from '../../src/lock/shared.js'
import type { Database } from './database.js'
import { sharedValue } from './statements/shared.js'

/** Shared values as rows. */
export function postgresShared(db: Database, app: string): SharedStore {
  const change = (name: string, args: readonly unknown[]) => db.call<string>(`${name}_shared_v1`, [app, ...args])
  const find = async (key: string) =>
    (await db.run<{ value: string; left_ms: number | null }>(sharedValue(db.schema), [app, key]))[0]
  return {
    get: async (key) => (await find(key))?.value ?? null,
    async ttl(key) {
      const row = await find(key)
      return row ? (row.left_ms ?? 'forever') : null
    },
    set: async ({ requestId, key, value, ttlMs }) => void (await change('set', [requestId, key, value, ttlMs])),
    compareAndSet: async ({ requestId, key, value, ttlMs, expected }) =>
      (await change('swap', [requestId, key, value, ttlMs, expected])) === '1',
    increment: async ({ requestId, key, by, ttlMs }) =>
      increasedOf(await change('increase', [requestId, key, by, ttlMs])),
    delete: async ({ requestId, key }) => (await change('delete', [requestId, key])) === '1',
  }
}

function increasedOf(text: string): SharedIncreased {
  if (text === 'no number' || text === 'too large') return { outcome: text }
  return { outcome: 'increased', value: Number(text) }
}
