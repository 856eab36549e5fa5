import type { LockStore } from '../lock/lock-store.js'
import type { WorkerRow } from '../lock/worker-row.js'
import type { App } from '../task-base/app.js'
import { differingGuards } from '../task-base/differing-guard.js'

/** Publishers without the code go by what is told here; who tells otherwise is named once. */
export async function tellGuards(app: App, store: LockStore, own: WorkerRow): Promise<void> {
  const { name } = own
  await store.define(app.guardDefinitions())
  const now = await store.now()
  const others = (await store.workers({ allApps: false })).filter((row) => row.name !== name)
  for (const { task, workers } of differingGuards([...others, { ...own, seenAt: now }], now)) {
    if (workers.includes(name)) app.events.emit('guard:differs', { task, workers })
  }
}
