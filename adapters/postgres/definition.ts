import { createHash } from 'node:crypto'
import { acquire } from './statements/acquire.js'
import { clear } from './statements/clear.js'
import { command } from './statements/command.js'
import { confirm } from './statements/confirm.js'
import { counter } from './statements/counter.js'
import { deadLetter } from './statements/dead-letter.js'
import { displace } from './statements/displace.js'
import { history } from './statements/history.js'
import { hold } from './statements/hold.js'
import { list } from './statements/list.js'
import { barrierId, clock, lockKey } from './statements/lock-key.js'
import { mode } from './statements/mode.js'
import { notify } from './statements/notice.js'
import { park } from './statements/park.js'
import { release } from './statements/release.js'
import { renew } from './statements/renew.js'
import { reopen } from './statements/reopen.js'
import { requeue } from './statements/requeue.js'
import { resolve } from './statements/resolve.js'
import { revoke } from './statements/revoke.js'
import { run } from './statements/run.js'
import { attend, changedEntries, changeEntry, decide, entryRow, reserve, together } from './statements/schedule.js'
import { promotions, recordOutcome, settle } from './statements/settle.js'
import { shared } from './statements/shared.js'
import { start } from './statements/start.js'
import { prune, sweep } from './statements/sweep.js'
import { tables } from './statements/tables.js'
import { tablesV2 } from './statements/tables-v2.js'
import { tablesV3 } from './statements/tables-v3.js'
import { tablesV4 } from './statements/tables-v4.js'
import { tablesV5 } from './statements/tables-v5.js'
import { tablesV6 } from './statements/tables-v6.js'
import { tablesV7 } from './statements/tables-v7.js'
import { tablesV8 } from './statements/tables-v8.js'
import { tablesV9 } from './statements/tables-v9.js'
import { views } from './statements/views.js'

/**
 * The tables' versions, each made from the one before: only ever appended to. Whatever a process of an earlier release
 * must not work beside belongs to a new version, also where only functions change.
 */
const TABLES = [tables, tablesV2, tablesV3, tablesV4, tablesV5, tablesV6, tablesV7, tablesV8, tablesV9]

/** In the order in which they name each other: functions in plain SQL are checked when they are made. */
const FUNCTIONS = [
  ...[clock, lockKey, barrierId, mode, views, notify, recordOutcome, hold, history, settle, promotions, displace],
  ...[acquire, park, run, start, requeue, release, confirm, renew, prune, sweep, resolve, clear, revoke, reopen, list],
  ...[deadLetter, counter, shared, command],
  ...[entryRow, changeEntry, changedEntries, reserve, decide, together, attend],
]

export const VERSION = TABLES.length

/** Names the functions by their text: what another build of the same version left behind is told apart. */
export const FUNCTIONS_HASH = createHash('sha256').update(allFunctions('beatlock')).digest('hex').slice(0, 16)

/** What brings a schema from a version, 0 for none, to ours. */
export function upgradeFrom(version: number, schema: string): readonly string[] {
  const steps = TABLES.slice(version).map((step) => step(schema))
  return [...steps, dropFunctions(schema), allFunctions(schema), noteVersion(schema)]
}

function allFunctions(schema: string): string {
  return FUNCTIONS.map((statement) => statement(schema)).join('\n')
}

/** By name, since an earlier text may have had other arguments; the schema may hold functions of others. */
function dropFunctions(schema: string): string {
  const names = [...allFunctions('s').matchAll(/create function s\.(\w+)/g)].map(([, name]) => name)
  return `do $$ declare f regprocedure; begin
    for f in select oid from pg_proc where pronamespace = '${schema}'::regnamespace and proname = any ('{${names}}') loop
      execute 'drop function ' || f;
    end loop;
  end $$;`
}

function noteVersion(schema: string): string {
  return `alter table ${schema}.schema_version add column if not exists functions text;
    insert into ${schema}.schema_version (version, functions) values (${VERSION}, '${FUNCTIONS_HASH}')
      on conflict (single) do update set version = excluded.version, functions = excluded.functions;`
}
