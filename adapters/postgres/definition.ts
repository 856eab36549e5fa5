import { createHash } from 'node:crypto'
import { packageVersion } from '../../src/lock/version.js'
import { acquire } from './statements/acquire.js'
import { clear } from './statements/clear.js'
import { command } from './statements/command.js'
import { confirm } from './statements/confirm.js'
import { counter } from './statements/counter.js'
import { deadLetter } from './statements/dead-letter.js'
import { displace } from './statements/displace.js'
import { fence } from './statements/fence.js'
import { history } from './statements/history.js'
import { hold } from './statements/hold.js'
import { list } from './statements/list.js'
import { barrierId, clock, lockKey } from './statements/lock-key.js'
import { mode } from './statements/mode.js'
import { notify } from './statements/notice.js'
import { park } from './statements/park.js'
import { reclaim, recovery } from './statements/recovery.js'
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
import { tablesV10 } from './statements/tables-v10.js'
import { tablesV11 } from './statements/tables-v11.js'
import { views } from './statements/views.js'

/** Makes tables or functions in a schema, whose quoted name it is given. */
export type Statement = (schema: string) => string

/** What one version of this package sets up. */
export interface Release {
  /** Of this package, as shown to people. */
  readonly by: string
  /** The tables' versions, each made from the one before: only ever appended to. Their number is the schema's version. */
  readonly tables: readonly Statement[]
  /** In the order in which they name each other: functions in plain SQL are checked when they are made. */
  readonly functions: readonly Statement[]
  /**
   * The oldest version whose processes may work beside these tables and functions. It stays while a version only adds:
   * columns with defaults, functions of new names (`…_v2`), text that answers earlier callers as before. Earlier processes
   * then go on through a deploy, by the functions of their own names. Raised, they are refused at their next opening.
   */
  readonly servesFrom: number
}

const TABLES = [
  tables,
  tablesV2,
  tablesV3,
  tablesV4,
  tablesV5,
  tablesV6,
  tablesV7,
  tablesV8,
  tablesV9,
  tablesV10,
  tablesV11,
]

const FUNCTIONS = [
  ...[clock, lockKey, barrierId, mode, views, notify, recordOutcome, hold, history, settle, promotions, displace],
  ...[recovery, reclaim],
  ...[acquire, park, run, start, requeue, release, confirm, renew, prune, sweep, resolve, clear, revoke, reopen, list],
  ...[deadLetter, counter, shared, command, fence],
  ...[entryRow, changeEntry, changedEntries, reserve, decide, together, attend],
]

export const VERSION = TABLES.length

/** Of this very code. A released version's text never changes: whatever does belongs to a new one, be it an empty step. */
export const OURS: Release = { by: packageVersion(), tables: TABLES, functions: FUNCTIONS, servesFrom: 9 }

/** Names the functions by their text: what another build of the same version left behind is told apart. */
export function functionsHash(release: Release): string {
  return createHash('sha256').update(allFunctions(release, 'beatlock')).digest('hex').slice(0, 16)
}

/**
 * What brings a schema from a version, 0 for none, to a release's. `replace`: callers of a function that stays never find
 * it missing; the server refuses that where an answer's or an argument's name changes. `renew`: all are made anew.
 */
export function upgradeFrom(
  version: number,
  { release, schema, how }: { release: Release; schema: string; how: 'replace' | 'renew' },
): readonly string[] {
  const steps = release.tables.slice(version).map((step) => step(schema))
  const text = allFunctions(release, schema)
  const functions =
    how === 'renew'
      ? [dropFunctions(release, schema, 'true'), text]
      : [text.replaceAll('create function', 'create or replace function'), dropFunctions(release, schema, LEFT_OVER)]
  return [...steps, ...functions, noteVersion(release, schema)]
}

/** Not made by this transaction: of a name that we use, with other arguments. */
const LEFT_OVER = 'xmin <> pg_current_xact_id()::xid'

function allFunctions({ functions }: Release, schema: string): string {
  return functions.map((statement) => statement(schema)).join('\n')
}

/** By name, since an earlier text may have had other arguments; the schema may hold functions of others. */
function dropFunctions(release: Release, schema: string, which: string): string {
  const names = [...allFunctions(release, 's').matchAll(/create function s\.(\w+)/g)].map(([, name]) => name)
  return `do $$ declare f regprocedure; begin
    for f in select oid from pg_proc
      where pronamespace = '${schema}'::regnamespace and proname = any ('{${names}}') and ${which}
    loop
      execute 'drop function ' || f;
    end loop;
  end $$;`
}

function noteVersion(release: Release, schema: string): string {
  const { by, servesFrom, tables } = release
  return `alter table ${schema}.schema_version add column if not exists functions text,
      add column if not exists serves_from integer, add column if not exists by text;
    insert into ${schema}.schema_version (version, functions, serves_from, by)
      values (${tables.length}, '${functionsHash(release)}', ${servesFrom}, '${by}')
      on conflict (single) do update set version = excluded.version, functions = excluded.functions,
        serves_from = excluded.serves_from, by = excluded.by;`
}
