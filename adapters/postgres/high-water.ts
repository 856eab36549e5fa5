import { UsageError } from '../../src/lock/error.js'
import { StaleToken } from '../../src/task-base/error.js'
import type { Fence } from '../../src/task-base/fence.js'
import { codeOf } from './failure.js'
import type { FencedClient } from './fenced-client.js'

/** The highest token that has written, a row a lock: for databases that are not the locks' own. */
export const highWaterTable = (schema: string): string => `${schema}.beatlock_fence`

const definition = (schema: string): string => `create table if not exists ${highWaterTable(schema)} (
  app text collate "C" not null,
  key text collate "C" not null,
  token bigint not null,
  written_at timestamptz not null default now(),
  primary key (app, key)
)`

/** Any number of processes may do it at once. @throws UsageError where this role may not, with what to run. */
export async function makeHighWater(client: FencedClient, schema: string): Promise<void> {
  await client.query('begin')
  try {
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`beatlock fence ${schema}`])
    await client.query(definition(schema))
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    const code = codeOf(error)
    if (code !== '42501' && code !== '3F000') throw error
    const why = `the table ${highWaterTable(schema)} is missing, and this role may not make it`
    throw new UsageError(`fencedTransaction: ${why}; have it made: ${definition(schema)}`, { cause: error })
  }
}

/**
 * One statement: raises the row and keeps it locked until the transaction ends, so that two tokens never write at once and
 * the lower one never last; and bounds the transaction, since the next token waits for it. A refusal gives no row.
 */
const holdStatement = (schema: string): string => `
with held as (
  insert into ${highWaterTable(schema)} as f (app, key, token) values ($1, $2, $3)
    on conflict (app, key) do update set token = excluded.token, written_at = now() where f.token <= excluded.token
    returning true
), bounded as (
  select set_config(name, $4::bigint::text, true)
    from unnest(array['statement_timeout', 'idle_in_transaction_session_timeout']) name
    where extract(epoch from current_setting(name)::interval) * 1000 not between 1 and $4::bigint
)
select (select count(*) from held)::integer as held, (select count(*) from bounded)::integer as bounded`

/** @throws StaleToken where a higher token has written, or the lease is over. */
export async function holdHighWater(client: FencedClient, fence: Fence, schema: string): Promise<void> {
  const { key, token, space } = fence
  const leftMs = Math.min(2 ** 31 - 1, Math.floor(fence.remainingMs?.() ?? Number.POSITIVE_INFINITY))
  if (leftMs < 1) throw new StaleToken({ key, token })
  const { rows } = await client.query(holdStatement(schema), [space.app, key, token, leftMs])
  if ((rows[0] as { held: number }).held === 1) return
  const higher = await client.query(`select token::text from ${highWaterTable(schema)} where app = $1 and key = $2`, [
    space.app,
    key,
  ])
  throw new StaleToken({ key, token, highest: Number((higher.rows[0] as { token: string } | undefined)?.token) })
}
