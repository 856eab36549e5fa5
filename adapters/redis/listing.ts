import type { LockKey } from '../../src/lock/key.js'
import type { ListQuery, LockRow } from '../../src/lock/lock-view.js'
import { scriptOn } from './argument.js'
import type { Connection } from './connection.js'
import { fieldsOf, numberOf, rowsOf } from './reply.js'
import { PAGE } from './scripts/view.js'
import { allShards, type Shard } from './shard.js'

/** Keys a page: 64 shards of them are the first round trip and all that is kept in memory. */
const PAGE_KEYS = 32

/** One shard's keys in order, as far as they were read. */
interface Column {
  readonly shard: Shard
  readonly pending: { readonly key: Buffer; readonly rows: readonly LockRow[] }[]
  from: string
  ended: boolean
}

/**
 * One app's locks in the order of their keys' bytes: pages of all shards, merged. Bounded memory; reads only; each key
 * as it is when its page is read. Shards drain evenly, so those that run low are read again together.
 */
export async function* listLocks(connection: Connection, app: string, query: ListQuery): AsyncGenerator<LockRow> {
  const [from, to] = rangeOf(query.task)
  const columns = allShards('lock', app).map((shard): Column => ({ shard, pending: [], from, ended: false }))
  for (;;) {
    if (columns.some((column) => !column.ended && column.pending.length === 0)) {
      await refill(connection, app, { columns, to })
    }
    const next = first(columns)
    if (!next) return
    for (const row of next.rows) if (matches(row, query)) yield row
  }
}

/** A task's keys are neighbours: `<task>:` up to the character after the colon. */
function rangeOf(task: string | undefined): readonly [from: string, to: string] {
  return task === undefined ? ['-', '+'] : [`[${task}:`, `(${task};`]
}

async function refill(
  connection: Connection,
  app: string,
  { columns, to }: { columns: readonly Column[]; to: string },
): Promise<void> {
  const low = columns.filter((column) => !column.ended && column.pending.length < PAGE_KEYS / 2)
  const pages = await connection.askAll(low.map(({ shard, from }) => scriptOn(shard, app, PAGE, [from, to, PAGE_KEYS])))
  for (const [at, column] of low.entries()) append(column, app, fieldsOf(pages[at]))
}

function append(column: Column, app: string, [now, ...keys]: readonly unknown[]): void {
  for (const reply of keys) {
    const [key, parked, rows] = fieldsOf(reply)
    const place = { app, key: String(key) as LockKey, parked: numberOf(parked), now: numberOf(now) }
    column.pending.push({ key: Buffer.from(place.key), rows: rowsOf(place, rows) })
    column.from = `(${place.key}`
  }
  column.ended = keys.length < PAGE_KEYS
}

/** Takes the lowest key that any shard has, by bytes as the server orders them. */
function first(columns: readonly Column[]): Column['pending'][number] | undefined {
  let lowest: Column | undefined
  for (const column of columns) {
    const key = column.pending[0]?.key
    if (key && (!lowest || Buffer.compare(key, lowest.pending[0]?.key as Buffer) < 0)) lowest = column
  }
  return lowest?.pending.shift()
}

function matches(row: LockRow, { task, stage, olderThanMs }: ListQuery): boolean {
  if (task !== undefined && row.task !== task) return false
  if (stage !== undefined && row.stage !== stage) return false
  return olderThanMs === undefined || (row.acquiredAt !== null && row.acquiredAt + olderThanMs <= row.now)
}
