import type { ClearAnswer } from '../../src/lock/clear.js'
import type { GuardDefinition } from '../../src/lock/guard-definition.js'
import type { LockKey } from '../../src/lock/key.js'
import type { LockStore } from '../../src/lock/lock-store.js'
import type { LockRow, LockView, MessageView } from '../../src/lock/lock-view.js'
import type { RequeueStep, RunStep } from '../../src/lock/message-step.js'
import type { Attendance, WorkerRow } from '../../src/lock/worker-row.js'
import { postgresCommands } from './commands.js'
import { postgresCounters } from './counters.js'
import { type Database, openDatabase } from './database.js'
import { postgresDeadLetters } from './dead-letters.js'
import { Notices } from './notices.js'
import type { PostgresOptions } from './options.js'
import { renewAll } from './renewal.js'
import { postgresShared } from './shared.js'
import { find } from './statements/find.js'
import { show } from './statements/list.js'
import { attendance, define, definition, destroyLocks, leave, workers } from './statements/worker.js'

const PAGE = 500

/**
 * Locks as rows of a Postgres schema, transitions as functions in it; bound to one app's name.
 *
 * @throws StoreUnavailable, or UsageError for a login, schema or server setting that cannot work.
 */
export async function openLockStore(options: PostgresOptions): Promise<LockStore> {
  const { app } = options
  const db = await openDatabase(options)
  const s = db.schema
  const notices = new Notices(db, app)
  return {
    space: { app, postgres: db.space },
    now: async () => Number((await db.call<string>('clock_v1', [])) as string),
    acquire: ({ key, message, ...request }) => db.call('acquire_v1', [app, key, json(request), message]),
    confirm: async (messages) => {
      const columns = [messages.map((m) => m.key), messages.map((m) => m.messageId), messages.map((m) => m.round)]
      if (messages.length > 0) await db.call('confirm_v1', [app, ...columns])
    },
    advance: ((step: RunStep | RequeueStep) =>
      db.call(step.to === 'running' ? 'run_v1' : 'requeue_v1', [app, step.key, json(step)])) as LockStore['advance'],
    renew: (batch) => renewAll(db, app, batch),
    release: ({ key, result, error, ...request }) => db.call('release_v1', [app, key, json(request), result, error]),
    sweep: ({ limit, publishLeaseMs, resultMs }) => db.call('sweep_v1', [app, limit, publishLeaseMs, resultMs]),
    resolve: (request) => db.call('resolve_v1', [app, request.doubt.key, json(request)]),
    list: (query) => listRows(db, app, query),
    show: (key) => showKey(db, app, key),
    clear: (request) => db.call<ClearAnswer>('clear_v1', [app, request.key, json(request)]),
    revoke: (request) => db.call('revoke_v1', [app, request.key, json(request)]),
    find: async (messageId, key) => {
      const [row] = await db.run<MessageView>(find(s), [app, messageId, key])
      return { ...(row as MessageView), now: Number(row?.now) }
    },
    reopen: async ({ key, messageId, round }) => void (await db.call('reopen_v1', [app, key, messageId, round])),
    workers: async ({ allApps }) => {
      const rows = await db.run<{ row: string; seen_at: number }>(workers(s), [app, allApps])
      return rows.map(({ row, seen_at }) => ({ ...(JSON.parse(row) as WorkerRow), seenAt: seen_at }))
    },
    attendance: () => attendanceOf(db, app),
    leave: async (worker) => void (await db.run(leave(s), [app, worker])),
    listen: (topic, look) => notices.listen(topic, look),
    define: async (definitions) => {
      const tasks = Object.keys(definitions)
      const texts = tasks.map((task) => (definitions[task] ? json(definitions[task]) : null))
      await db.run(define(s), [app, tasks, texts])
    },
    definition: async (task) => {
      const [row] = await db.run<{ definition: string }>(definition(s), [app, task])
      return row ? (JSON.parse(row.definition) as GuardDefinition) : null
    },
    dead: postgresDeadLetters(db, app),
    commands: postgresCommands(db, app),
    counts: postgresCounters(db, app),
    shared: postgresShared(db, app),
    destroy: async () => void (await db.run(destroyLocks(s), [app])),
    close: async () => {
      await notices.close()
      await db.close()
    },
  }
}

async function attendanceOf(db: Database, app: string): Promise<Attendance> {
  const rows = await db.run<{ name: string | null; seenAt: number; now: number }>(attendance(db.schema), [app])
  const workers = rows.flatMap(({ name, seenAt }) => (name === null ? [] : [{ name, seenAt }]))
  return { workers, now: rows[0]?.now ?? 0 }
}

const json = (value: unknown): string => JSON.stringify(value)

type Query = Parameters<LockStore['list']>[0]

/** A page a round trip, each after the last row of the one before. */
async function* listRows(db: Database, app: string, query: Query): AsyncGenerator<LockRow> {
  const sql = `select listed as row, at_place as place from ${db.schema}.list_v1($1, $2, $3, $4, $5, $6, $7, $8)`
  const filter = [query.task ?? null, query.stage ?? null, query.olderThanMs ?? null]
  const all = query.allApps ?? false
  let after: readonly (string | number)[] = [all ? '' : app, '', 0]
  for (;;) {
    const page = await db.run<{ row: LockRow; place: string }>(sql, [all, ...after, ...filter, PAGE])
    for (const { row } of page) yield row
    const last = page.at(-1)
    if (!last || page.length < PAGE) return
    after = [last.row.app, last.row.key, last.place]
  }
}

async function showKey(db: Database, app: string, key: LockKey): Promise<LockView | null> {
  const [view] = await db.run<LockView>(show(db.schema), [app, key])
  if (!view || view.rows.length + view.outcomes.length + view.history.length === 0) return null
  return { ...view, now: Number(view.now) }
}
