import type { ListQuery } from '../lock/lock-view.js'
import { type LockInfo, lockInfo } from '../task-base/locks.js'
import type { Target } from './target.js'

/** The locks of the target: of one app, or of all apps of the server, a page at a time. */
export async function* lockRows(target: Target, query: ListQuery): AsyncGenerator<LockInfo> {
  if (target.scope !== 'server') {
    yield* target.app.locks.list(query)
    return
  }
  const { store } = await target.app.connection()
  const workers = await store.workers({ allApps: true })
  for await (const row of store.list({ ...query, allApps: true })) {
    // Each app has queues of its own: a message is looked for among those of its row's app, opened when it is needed.
    const state = async (queue: string, id: string, round?: number) =>
      (await target.of(row.app).connection()).servers.engine.state(queue, id, round)
    yield await lockInfo(row, { workers, engine: { state } })
  }
}
