import type { Count, CounterStore } from '../../src/lock/counter.js'
import type { Database } from './database.js'
import { counts } from './statements/counter.js'

/** Totals as rows that are only added. */
export function postgresCounters(db: Database, app: string): CounterStore {
  return {
    add: async (requestId, added) => void (await db.call('count_v1', [app, requestId, JSON.stringify(added)])),
    read: ({ allApps }) => db.run<Count & { app: string }>(counts(db.schema), [app, allApps]),
  }
}
