import type { CounterStore } from '../../src/lock/counter.js'
import { locksOf, type MemoryServer } from './server.js'

const REQUEST_MS = 600_000

/** Totals within this process. */
export function memoryCounters(server: MemoryServer, app: string): CounterStore {
  const counted = (name: string) => [...locksOf(server, name).counts.values()].map((count) => ({ ...count, app: name }))
  return {
    async add(requestId, added) {
      const { counts, countRequests } = locksOf(server, app)
      for (const [id, at] of countRequests) if (at + REQUEST_MS <= server.now()) countRequests.delete(id)
      if (countRequests.has(requestId)) return
      countRequests.set(requestId, server.now())
      for (const { task, name, n } of added) {
        const known = counts.get(`${task}\n${name}`)?.n ?? 0
        counts.set(`${task}\n${name}`, { task, name, n: known + n })
      }
    },
    read: async ({ allApps }) => (allApps ? [...server.apps.keys()] : [app]).flatMap(counted),
  }
}
