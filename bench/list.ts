import { lockKey } from '../src/lock/key.js'
import type { LockStore } from '../src/lock/lock-store.js'
import { figure, type Line, ms } from './line.js'
import { held } from './request.js'

const LOCKS = 100_000
const AT_ONCE = 500

/** `list` on 100,000 locks: its first row, all of it, and what the memory grows by meanwhile. */
export async function listAll(store: LockStore, name: string): Promise<Line[]> {
  for (let from = 0; from < LOCKS; from += AT_ONCE) {
    await Promise.all(
      Array.from({ length: AT_ONCE }, (_, n) =>
        store.acquire(held(lockKey('bench.list', `[${from + n}]`), `l${from + n}`).request),
      ),
    )
  }
  globalThis.gc?.()
  const before = process.memoryUsage.rss()
  const start = performance.now()
  let firstMs = 0
  let rows = 0
  let most = before
  for await (const _ of store.list({})) {
    if (rows === 0) firstMs = performance.now() - start
    rows += 1
    if (rows % 1_000 === 0) most = Math.max(most, process.memoryUsage.rss())
  }
  const allMs = performance.now() - start
  const grown = Math.round((most - before) / 2 ** 20)
  return [
    figure(`locks list on ${name}: first of ${rows} rows`, ms(firstMs), '< 300 ms'),
    figure(`locks list on ${name}: all rows`, `${ms(allMs)}, + ${grown} MB`, 'bounded memory'),
  ]
}
