import { Client } from 'pg'
import { type Examined, problem } from '../../src/lock/finding.js'
import { functionsHash, OURS } from './definition.js'
import { diagnose, type PostgresFacts, type SchemaFacts } from './diagnosis.js'
import { codeOf } from './failure.js'
import { clientConfig, type PostgresOptions, quotedSchema } from './options.js'

const CONNECT_MS = 5_000
const QUERY_MS = 5_000

const SETTINGS = [
  ...['fsync', 'full_page_writes', 'synchronous_commit', 'synchronous_standby_names', 'default_transaction_isolation'],
  ...['max_connections', 'superuser_reserved_connections', 'reserved_connections', 'max_locks_per_transaction'],
  'max_prepared_transactions',
]

/** Looks at a server's settings and sets nothing up; what opening refuses it is told here. Never rejects. */
export async function examine(options: PostgresOptions): Promise<Omit<Examined, 'role'>> {
  const { server } = options
  const client = new Client({ ...clientConfig(options, CONNECT_MS, QUERY_MS), application_name: 'beatlock doctor' })
  client.on('error', () => {})
  try {
    await client.connect()
    const facts = await factsOf(client, options)
    const { version = 0, ours, current } = facts.schema
    const pristine = version < ours || (version === ours && !current)
    return { server, reached: true, findings: diagnose(facts), ...(pristine ? { pristine } : {}) }
  } catch (error) {
    const why = `it cannot be reached: ${error instanceof Error && error.message !== '' ? error.message : 'no answer'}.`
    const cure = 'start it, or mend URL, credentials or network; nothing runs without it.'
    return { server, reached: false, findings: [problem('reached', why, cure)] }
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function factsOf(client: Client, options: PostgresOptions): Promise<PostgresFacts> {
  const clock = await clockOf(client)
  const { rows } = await client.query(
    `select current_setting('server_version_num')::int as version, current_setting('server_version') as "shownVersion",
      pg_is_in_recovery() as recovering, pg_backend_pid() as pid,
      (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as sessions,
      (select count(*)::int from pg_locks) as locks, (select count(*)::int from pg_stat_replication) as standbys`,
  )
  const { pid, ...facts } = rows[0] as Omit<PostgresFacts, 'settings' | 'direct' | 'schema' | 'clock'> & { pid: number }
  const settings = await client.query<{ name: string; setting: string }>(
    'select name, setting from pg_settings where name = any ($1)',
    [SETTINGS],
  )
  return {
    ...facts,
    settings: new Map(settings.rows.map(({ name, setting }) => [name, setting])),
    // Not in pg's types: the process id of the handshake.
    direct: (client as unknown as { processID?: number }).processID === pid,
    schema: await schemaOf(client, options),
    clock,
  }
}

async function clockOf(client: Client): Promise<PostgresFacts['clock']> {
  const sentAt = Date.now()
  const { rows } = await client.query<{ now: string }>('select extract(epoch from clock_timestamp()) * 1000 as now')
  const withinMs = (Date.now() - sentAt) / 2
  return { aheadMs: sentAt + withinMs - Number(rows[0]?.now), withinMs }
}

async function schemaOf(client: Client, options: PostgresOptions): Promise<SchemaFacts> {
  const schema = quotedSchema(options.schema)
  const ours = OURS.tables.length
  const found = await versionOf(client, schema)
  const { rows } = await client.query<{ may: boolean }>(
    `select has_database_privilege(current_database(), 'CREATE')
      or coalesce(has_schema_privilege(to_regnamespace($1)::oid, 'CREATE'), false) as may`,
    [schema],
  )
  return {
    name: schema.slice(1, -1),
    version: found?.version,
    ours,
    servesFrom: found?.servesFrom ?? 0,
    current: found?.version === ours && found.functions === functionsHash(OURS),
    mayCreate: rows[0]?.may === true,
  }
}

/** Undefined where nothing is set up. */
async function versionOf(
  client: Client,
  schema: string,
): Promise<{ version: number; functions: string | null; servesFrom: number } | undefined> {
  try {
    const { rows } = await client.query(`select version, to_jsonb(v)->>'functions' as functions,
      coalesce((to_jsonb(v)->>'serves_from')::int, version) as "servesFrom" from ${schema}.schema_version v`)
    return rows[0]
  } catch (error) {
    const code = codeOf(error)
    if (code === '42P01' || code === '3F000') return undefined
    throw error
  }
}
