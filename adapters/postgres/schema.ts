import type { ClientBase } from 'pg'
import { UsageError } from '../../src/lock/error.js'
import { functionsHash, OURS, type Release, upgradeFrom } from './definition.js'
import { codeOf } from './failure.js'

/** Where the schema is. */
interface Place {
  readonly client: ClientBase
  /** Quoted. */
  readonly schema: string
  /** As shown to people. */
  readonly server: string
}

/**
 * Makes tables and functions where they are missing, and brings what earlier code made up to date; what later code made is
 * used as it is, where that code says that it serves ours. Costs one cheap query where nothing is to do; any number of
 * processes may do it at once. Answers the id of this schema.
 *
 * @throws UsageError where a newer version has set up what we cannot work with, where this role may not, or where the
 * server's default isolation level is one that loses parked calls.
 */
export async function ensureSchema(
  client: ClientBase,
  schema: string,
  server: string,
  release = OURS,
): Promise<string> {
  const place: Place = { client, schema, server }
  const found = await versionOf(place)
  if (!found || isBehind(found, release)) {
    await bringUp(place, release)
    return await ensureSchema(client, schema, server, release)
  }
  if (found.servesFrom > release.tables.length) throw tooNew(place, found, release)
  if (found.isolation !== 'read committed') throw wrongIsolation(server, found.isolation)
  return found.space as string
}

function isBehind({ version, functions }: Found, release: Release): boolean {
  const ours = release.tables.length
  return version < ours || (version === ours && functions !== functionsHash(release))
}

/** How often a setup that was undone by a deadlock with a running process is tried again. */
const TRIES = 5

async function bringUp(place: Place, release: Release): Promise<void> {
  let how: 'replace' | 'renew' = 'replace'
  for (let tries = 1; ; tries += 1) {
    const error = await broughtUp(place, release, how)
    if (error === undefined) return
    const code = codeOf(error)
    if (tries === TRIES || (code !== '40P01' && (how === 'renew' || !UNREPLACEABLE.has(code ?? '')))) throw error
    if (code !== '40P01') how = 'renew'
  }
}

/** Another answer, argument names or defaults; calls that fit two functions, of which one is about to go. */
const UNREPLACEABLE = new Set(['42P13', '42725'])

/** One transaction. Answers what it failed of. */
async function broughtUp(place: Place, release: Release, how: 'replace' | 'renew'): Promise<unknown> {
  const { client, schema } = place
  let found: Found | undefined
  await client.query('begin isolation level read committed')
  try {
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`beatlock schema ${schema}`])
    // Whoever had the lock before may have done it.
    const { rows } = await client.query('select to_regclass($1) is not null as there', [`${schema}.schema_version`])
    if ((rows[0] as { there: boolean }).there) found = await versionOf(place)
    if (!found || isBehind(found, release)) {
      for (const sql of upgradeFrom(found?.version ?? 0, { release, schema, how })) await client.query(sql)
    }
    await client.query('commit')
    return undefined
  } catch (error) {
    // Where the connection is gone, so is the transaction.
    await client.query('rollback').catch(() => {})
    return codeOf(error) === '42501' ? notAllowed(place, found, error) : error
  }
}

interface Found {
  readonly version: number
  /** Null where the first version has set it up. */
  readonly functions: string | null
  readonly servesFrom: number
  /** The package's version that did; null before that was noted. */
  readonly by: string | null
  /** Null before version 10. */
  readonly space: string | null
  readonly isolation: string
}

/** Undefined where nothing is set up yet. */
async function versionOf({ client, schema }: Place): Promise<Found | undefined> {
  try {
    const { rows } = await client.query(`select version, to_jsonb(v)->>'functions' as functions,
      coalesce((to_jsonb(v)->>'serves_from')::integer, version) as "servesFrom", to_jsonb(v)->>'by' as by,
      to_jsonb(v)->>'space' as space,
      current_setting('transaction_isolation') as isolation from ${schema}.schema_version v`)
    return rows[0] as Found | undefined
  } catch (error) {
    const code = codeOf(error)
    if (code === '42P01' || code === '3F000') return undefined
    throw error
  }
}

function tooNew({ schema, server }: Place, found: Found, release: Release): UsageError {
  return new UsageError(
    `schema ${schema} of ${server} was set up by beatlock ${found.by ?? '?'} as version ${found.version}, for version ` +
      `${found.servesFrom} and later; this is beatlock ${release.by}, which knows version ${release.tables.length}: ` +
      'upgrade beatlock here, or name another schema (?schema=…). Nothing was changed.',
  )
}

function wrongIsolation(server: string, isolation: string): UsageError {
  return new UsageError(
    `${server}: beatlock needs READ COMMITTED, this role's default_transaction_isolation is '${isolation}'; ` +
      "set it with ALTER ROLE … SET default_transaction_isolation = 'read committed'.",
  )
}

function notAllowed({ schema, server }: Place, found: Found | undefined, cause: unknown): UsageError {
  const what = found ? `bring schema ${schema} up to date` : `create schema ${schema}`
  const where = found ? 'as the role that owns it' : 'as a role that may, or create the schema for this one'
  const why = `may not ${what}: run any beatlock command once ${where} (the README's roles).`
  return new UsageError(`${server}: this role ${why}`, { cause })
}
