import { UsageError } from '../../src/lock/error.js'
import { suggest } from '../../src/lock/suggest.js'
import { type PostgresConnection, quotedSchema } from './options.js'
import { readTls, TLS_PARAMETERS } from './tls.js'

/** A `postgres://` URL in the pieces that the stores take; `server` is what may be shown. */
export interface PostgresAddress {
  readonly connection: PostgresConnection
  readonly schema: string | undefined
  readonly server: string
}

const PARAMETERS = ['schema', 'host', ...TLS_PARAMETERS] as const

/**
 * Reads `postgres://user:password@host:port/database?schema=…&sslmode=…`; `?host=/folder` names a Unix socket's folder.
 * Port 5432, and the database is named like the user, where the URL says nothing. Files that it names are read now.
 *
 * @throws UsageError for a query parameter or file that cannot be used, and for a URL without a database and user.
 */
export function parsePostgresUrl(text: string): PostgresAddress {
  const url = parse(text)
  const query = checkedQuery(url)
  const user = decodeURIComponent(url.username)
  const password = decodeURIComponent(url.password)
  const host = query.get('host') ?? (url.hostname === NO_HOST ? 'localhost' : url.hostname.replace(/^\[|\]$/g, ''))
  const database = decodeURIComponent(url.pathname.slice(1)) || user
  if (database === '') throw new UsageError('a Postgres URL needs a database: postgres://user@host:port/database.')
  const port = url.port === '' ? 5432 : Number(url.port)
  const tls = readTls(query, host)
  const connection: PostgresConnection = {
    host,
    port,
    database,
    ...(user === '' ? {} : { user }),
    ...(password === '' ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
  }
  return { connection, schema: schemaOf(query), server: `postgres ${host}:${port}/${database}` }
}

/** Stands in for the host of `postgres:///db` and `postgres://user@/db`, which the URL standard refuses. */
const NO_HOST = 'no-host.invalid'

function parse(text: string): URL {
  try {
    return new URL(text.replace(/^(postgres(?:ql)?:\/\/(?:[^/?#]*@)?)(?=[/?#]|$)/, `$1${NO_HOST}`))
  } catch {
    throw new UsageError('the Postgres URL cannot be read; write postgres://user:password@host:5432/database.')
  }
}

function checkedQuery(url: URL): URLSearchParams {
  for (const name of url.searchParams.keys()) {
    if (PARAMETERS.some((known) => known === name)) continue
    throw new UsageError(
      `a Postgres URL has no parameter '${name}' (known: ${PARAMETERS.join(', ')})${suggest(name, PARAMETERS)}`,
    )
  }
  return url.searchParams
}

function schemaOf(query: URLSearchParams): string | undefined {
  const schema = query.get('schema') ?? undefined
  if (schema !== undefined) quotedSchema(schema)
  return schema
}
