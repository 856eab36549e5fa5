import type { Cursor, Decision, ReserveAnswer, ScheduleStore } from '../../src/beat/schedule-store.js'
import { openDatabase } from './database.js'
import type { PostgresOptions } from './options.js'
import { destroySchedule, history } from './statements/schedule.js'

/**
 * Cursors, claims and decisions as rows beside the locks' tables; about the last 1000 decisions an entry are kept.
 *
 * @throws StoreUnavailable, or UsageError for a login, schema or server setting that cannot work.
 */
export async function openScheduleStore(options: PostgresOptions): Promise<ScheduleStore> {
  const { app } = options
  const db = await openDatabase({ ...options, poolSize: options.poolSize ?? 2 })
  return {
    now: async () => Number(await db.call<string>('clock_v1', [])),
    load: (entries) => db.call<Cursor[]>('load_v1', [app, entries]),
    reserve: (request) => db.call<ReserveAnswer>('reserve_v1', [app, request.entry, JSON.stringify(request)]),
    takeOver: (request) => db.call<ReserveAnswer>('take_over_v1', [app, request.entry, JSON.stringify(request)]),
    decide: (decision, term) => db.call<Decision>('decide_v1', [app, decision.entry, JSON.stringify(decision), term]),
    history: async (entry, limit) => {
      const rows = await db.run<{ decision: Decision }>(history(db.schema), [app, entry, limit])
      return rows.map((row) => row.decision)
    },
    destroy: async () => void (await db.run(destroySchedule(db.schema), [app])),
    close: () => db.close(),
  }
}
