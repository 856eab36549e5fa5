import type { ClientBase } from 'pg'
import { UsageError } from '../../src/lock/error.js'
import { FUNCTIONS_HASH, upgradeFrom, VERSION } from './definition.js'
import { codeOf } from './failure.js'

/**
 * Makes tables and functions where they are missing, and brings what earlier code made up to date. Costs one cheap query
 * where nothing is to do; any number of processes may do it at once.
 *
 * @throws UsageError where a newer version has set the schema up, where this role may not, or where the server's default
 * isolation level is one that loses parked calls.
 */
export async function ensureSchema(client: ClientBase, schema: string, server: string): Promise<void> {
  const found = await versionOf(client, schema)
  if (!found || isBehind(found)) {
    await bringUp(client, schema, server)
    return await ensureSchema(client, schema, server)
  }
  if (found.version > VERSION) throw tooNew(schema, server, found.version)
  if (found.isolation !== 'read committed') throw wrongIsolation(server, found.isolation)
}

function isBehind({ version, functions }: Found): boolean {
  return version < VERSION || (version === VERSION && functions !== FUNCTIONS_HASH)
}

async function bringUp(client: ClientBase, schema: string, server: string): Promise<void> {
  let found: Found | undefined
  await client.query('begin isolation level read committed')
  try {
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`beatlock schema ${schema}`])
    // Whoever had the lock before may have done it.
    const { rows } = await client.query('select to_regclass($1) is not null as there', [`${schema}.schema_version`])
    if ((rows[0] as { there: boolean }).there) found = await versionOf(client, schema)
    if (!found || isBehind(found)) {
      for (const sql of upgradeFrom(found?.version ?? 0, schema)) await client.query(sql)
    }
    await client.query('commit')
  } catch (error) {
    // Where the connection is gone, so is the transaction.
    await client.query('rollback').catch(() => {})
    throw codeOf(error) === '42501' ? notAllowed(schema, server, found !== undefined, error) : error
  }
}

interface Found {
  readonly version: number
  /** Null where the first version has set it up. */
  readonly functions: string | null
  readonly isolation: string
}

/** Undefined where nothing is set up yet. */
async function versionOf(client: ClientBase, schema: string): Promise<Found | undefined> {
  try {
    const { rows } = await client.query(`select version, to_jsonb(v)->>'functions' as functions,
      current_setting('transaction_isolation') as isolation from ${schema}.schema_version v`)
    return rows[0] as Found | undefined
  } catch (error) {
    const code = codeOf(error)
    if (code === '42P01' || code === '3F000') return undefined
    throw error
  }
}

function tooNew(schema: string, server: string, found: number): UsageError {
  return new UsageError(
    `schema ${schema} of ${server} has version ${found}, this beatlock knows ${VERSION}: upgrade beatlock here, ` +
      'or name another schema (?schema=…).',
  )
}

function wrongIsolation(server: string, isolation: string): UsageError {
  return new UsageError(
    `${server}: beatlock needs READ COMMITTED, this role's default_transaction_isolation is '${isolation}'; ` +
      "set it with ALTER ROLE … SET default_transaction_isolation = 'read committed'.",
  )
}

function notAllowed(schema: string, server: string, exists: boolean, cause: unknown): UsageError {
  const why = exists
    ? `may not bring schema ${schema} up to date; open it once as the role that owns its tables.`
    : `may not create schema ${schema}; grant it CREATE on the database, or create the schema for it.`
  return new UsageError(`${server}: this role ${why}`, { cause })
}
