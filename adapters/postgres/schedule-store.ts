import type {
  Alteration,
  Attendance,
  BeatRow,
  Decision,
  EntryRow,
  PutOutcome,
  ReserveAnswer,
  ReserveRequest,
  ScheduleStore,
} from '../../src/beat/schedule-store.js'
import { type Database, openDatabase } from './database.js'
import { gathering } from './gathering.js'
import type { PostgresOptions } from './options.js'
import { destroySchedule, history, leave } from './statements/schedule.js'

/** Entries a statement: one must not hold the app's row for long. */
const AT_ONCE = 500

/**
 * A timetable as rows beside the locks' tables.
 *
 * @throws StoreUnavailable, or UsageError for a login, schema or server setting that cannot work.
 */
export async function openScheduleStore(options: PostgresOptions): Promise<ScheduleStore> {
  const { app } = options
  const db = await openDatabase({ ...options, poolSize: options.poolSize ?? 2 })
  const call = <Answer>(name: string, ...values: readonly unknown[]): Promise<Answer> => db.call(name, [app, ...values])
  /** Slots come due in crowds. */
  const gathered = <Request, Answer>(verb: string): ((request: Request) => Promise<Answer>) =>
    gathering({
      together: (requests) => call(`${verb}_all_v1`, JSON.stringify(requests)),
      alone: (request) => call(`${verb}_v1`, JSON.stringify(request)),
    })
  return {
    now: async () => Number(await db.call<string>('clock_v1', [])),
    put: async (entries, how, edition) => {
      const outcomes: PutOutcome[] = []
      for (let from = 0; from < entries.length; from += AT_ONCE) {
        const batch = JSON.stringify(entries.slice(from, from + AT_ONCE))
        outcomes.push(...(await call<PutOutcome[]>('put_entries_v1', how, edition ?? null, batch)))
      }
      return outcomes
    },
    alter: (entry, alteration) => {
      const edition = 'edition' in alteration ? alteration.edition : null
      const over = 'over' in alteration ? JSON.stringify(alteration.over) : null
      return call<EntryRow | null>('alter_entry_v1', entry, alteration.to, argumentOf(alteration), edition, over)
    },
    changes: (after, limit) => call('entry_changes_v1', after, limit),
    show: (entry) => call<EntryRow | null>('show_entry_v1', entry),
    reserve: gathered<ReserveRequest, ReserveAnswer>('reserve'),
    pass: (request) => call('pass_v1', JSON.stringify(request)),
    takeOver: (request) => call<ReserveAnswer>('take_over_v1', JSON.stringify(request)),
    decide: gathered<Omit<Decision, 'at'>, Decision>('decide'),
    history: (entry, limit) => readHistory(db, app, entry, limit),
    adopt: ({ by, report, superseded }) =>
      call<string>('adopt_v1', by, JSON.stringify(report), report.edition, superseded),
    attend: ({ by, report, leadMs }) => call<Attendance>('attend_v1', by, leadMs, report && JSON.stringify(report)),
    beats: () => call<BeatRow[]>('beats_v1'),
    leave: async (by) => void (await db.run(leave(db.schema), [app, by])),
    destroy: async () => void (await db.run(destroySchedule(db.schema), [app])),
    close: () => db.close(),
  }
}

async function readHistory(db: Database, app: string, entry: string, limit: number): Promise<Decision[]> {
  const rows = await db.run<{ decision: Decision }>(history(db.schema), [app, entry, Math.max(0, limit)])
  return rows.map((row) => row.decision)
}

function argumentOf(alteration: Alteration): string | null {
  switch (alteration.to) {
    case 'paused':
      return alteration.why
    case 'resumed':
      return alteration.from
    case 'removed':
      return alteration.config
    default:
      return null
  }
}
