import { increase, lookUp, put, SHARED_REQUEST_MS, type SharedStore, swap } from '../../src/lock/shared.js'
import { locksOf, type MemoryServer } from './server.js'

/** Shared values within this process. */
export function memoryShared(server: MemoryServer, app: string): SharedStore {
  const { now } = server
  const kept = () => locksOf(server, app)
  const once = <A>(requestId: string, step: () => A): A => {
    const { sharedRequests } = kept()
    for (const [id, { at }] of sharedRequests) {
      if (at + SHARED_REQUEST_MS > now()) break
      sharedRequests.delete(id)
    }
    const known = sharedRequests.get(requestId)
    if (known) return known.answer as A
    const answer = step()
    sharedRequests.set(requestId, { answer, at: now() })
    return answer
  }
  return {
    get: async (key) => lookUp(kept().shared, key, now())?.value ?? null,
    async ttl(key) {
      const found = lookUp(kept().shared, key, now())
      if (!found) return null
      return found.until === null ? 'forever' : found.until - now()
    },
    set: async (write) => once(write.requestId, () => put(kept().shared, write, now())),
    compareAndSet: async (request) => once(request.requestId, () => swap(kept().shared, request, now())),
    increment: async (request) => once(request.requestId, () => increase(kept().shared, request, now())),
    delete: async ({ requestId, key }) =>
      once(requestId, () => {
        const there = lookUp(kept().shared, key, now()) !== null
        kept().shared.delete(key)
        return there
      }),
  }
}
