import { lastOutcome } from '../../src/lock/ending.js'
import { isPrivateKey, type LockKey } from '../../src/lock/key.js'
import type { ListQuery, LockRow, LockView, MessageView } from '../../src/lock/lock-view.js'
import { type Hold, isIdle, type LockRecord } from '../../src/lock/record.js'
import type { MemoryServer } from './server.js'

const OUTCOMES_SHOWN = 20

/** Rows in key order. Keys are taken once; each record is read when its turn comes. */
export async function* viewRows(server: MemoryServer, app: string, query: ListQuery): AsyncGenerator<LockRow> {
  const apps = query.allApps ? [...server.apps.keys()].sort() : [app]
  for (const name of apps) {
    const records = server.apps.get(name)?.records
    for (const key of [...(records?.keys() ?? [])].sort()) {
      const record = records?.get(key)
      if (!record || isPrivateKey(key)) continue
      const now = server.now()
      for (const row of rowsOf(name, record, now)) if (matches(row, query, now)) yield row
    }
  }
}

function matches(row: LockRow, query: ListQuery, now: number): boolean {
  if (query.task !== undefined && row.task !== query.task) return false
  if (query.stage !== undefined && row.stage !== query.stage) return false
  return query.olderThanMs === undefined || (row.acquiredAt !== null && row.acquiredAt + query.olderThanMs <= now)
}

function rowsOf(app: string, record: LockRecord, now: number): LockRow[] {
  if (record.holders.length > 0) return record.holders.map((hold) => rowOf(app, record, hold, now))
  return record.parked.length > 0 ? [parkedRow(app, record, now)] : []
}

function rowOf(app: string, record: LockRecord, hold: Hold, now: number): LockRow {
  const { task, label, queue, limit } = hold.terms
  return {
    app,
    key: record.key,
    task,
    label,
    stage: hold.stage,
    holder: hold.messageId,
    round: hold.round,
    token: hold.stage === 'running' ? hold.token : null,
    worker: hold.worker,
    queue,
    barrier: hold.barrier,
    barrierHeld: false,
    acquiredAt: hold.acquiredAt,
    expiresAt: hold.expiresAt,
    cancelledBy: hold.cancelledBy,
    cancelledHow: hold.cancelledHow,
    parked: record.parked.length,
    limit,
    now,
  }
}

/** A key where only parked calls remain: their turn comes with the next verb or sweep. */
function parkedRow(app: string, record: LockRecord, now: number): LockRow {
  const terms = record.parked[0]?.terms
  return {
    app,
    key: record.key,
    task: terms?.task ?? '',
    label: terms?.label ?? '',
    stage: null,
    holder: null,
    round: null,
    token: null,
    worker: null,
    queue: terms?.queue ?? null,
    barrier: null,
    barrierHeld: false,
    acquiredAt: null,
    expiresAt: null,
    cancelledBy: null,
    cancelledHow: null,
    parked: record.parked.length,
    limit: terms?.limit ?? 1,
    now,
  }
}

/** All about one key, or null where nothing is known of it. */
export function viewRecord(of: { app: string; record: LockRecord | undefined; now: number }): LockView | null {
  const { app, record, now } = of
  if (!record || isIdle(record)) return null
  const outcomes = [...record.outcomes.values()].map((kept) => kept.record).reverse()
  return {
    rows: rowsOf(app, record, now),
    parked: record.parked.map((call) => ({ id: call.messageId, since: call.since, expiresAt: call.terms.expiresAt })),
    outcomes: outcomes.sort((a, b) => b.at - a.at).slice(0, OUTCOMES_SHOWN),
    history: [...record.history].reverse(),
    now,
  }
}

/** What is known about one message: of several rounds, the latest. */
export function viewMessage(
  records: ReadonlyMap<LockKey, LockRecord>,
  of: { messageId: string; key: LockKey | null; now: number },
): MessageView {
  const { messageId, key, now } = of
  const asked = key === null ? [...records.values()] : [records.get(key)]
  const views = asked.flatMap((record) => (record && viewIn(record, messageId, now)) ?? [])
  const known = views.find(({ outcome, hold, parked }) => outcome || hold || parked)
  return known ?? views[0] ?? { key, outcome: null, hold: null, parked: false, now }
}

function viewIn(record: LockRecord, messageId: string, now: number): MessageView | undefined {
  const hold = record.holders.find((each) => each.messageId === messageId && each.stage !== 'cooling')
  const parked = record.parked.some((call) => call.messageId === messageId)
  const ended = hold || parked ? undefined : lastOutcome(record, messageId)
  if (!hold && !parked && !ended) return undefined
  const outcome = ended && !ended.reopened ? ended.record : null
  const held = hold ? { stage: hold.stage, retries: hold.retries, worker: hold.worker } : null
  return { key: record.key, outcome, hold: held, parked, now }
}
