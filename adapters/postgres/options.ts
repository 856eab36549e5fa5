import { UsageError } from '../../src/lock/error.js'
import type { Asker } from './privilege.js'
import { type PostgresTls, sslOf } from './tls.js'

/** Where a server is. Survives a structured clone. */
export interface PostgresConnection {
  /** A name, an address, or the absolute path of a Unix socket's folder. */
  readonly host: string
  readonly port: number
  readonly user?: string
  readonly password?: string
  readonly database: string
  /** Default: no TLS. */
  readonly tls?: PostgresTls
}

/** How stores and barrier are opened. Survives a structured clone: threads and children connect anew from it. */
export interface PostgresOptions {
  readonly app: string
  readonly connection: PostgresConnection
  /** Where tables and functions live; default `beatlock`. */
  readonly schema?: string
  /** The server as shown in errors, without credentials. */
  readonly server: string
  /** Connections at most; default 4, of a schedule store 2. */
  readonly poolSize?: number
  /** The worker's name, part of `application_name`. */
  readonly name?: string
}

/** Where nobody names another. */
export const DEFAULT_SCHEMA = 'beatlock'

/** The schema's name, quoted for SQL. @throws UsageError for a name that would need more than quotes. */
export function quotedSchema(schema: string = DEFAULT_SCHEMA): string {
  if (!/^[a-zA-Z_][a-zA-Z0-9_]{0,62}$/.test(schema)) {
    throw new UsageError(`Expected the Postgres schema to be a plain name of letters, digits and _, got '${schema}'.`)
  }
  return `"${schema}"`
}

/** For words about what is denied. */
export function askerOf({ connection, schema }: PostgresOptions): Asker {
  return { schema: quotedSchema(schema), role: connection.user }
}

/** A connection as `pg` takes it. */
export function placeOf(connection: PostgresConnection) {
  const { tls: _, ...address } = connection
  return { ...address, ssl: sslOf(connection) }
}

/** What every connection of ours has in common. Postgres cuts the name at 63 bytes. */
export function clientConfig({ app, connection, name }: PostgresOptions, connectMs: number, queryMs: number) {
  return {
    ...placeOf(connection),
    application_name: name === undefined ? `beatlock:${app}` : `beatlock:${app}:${name}`,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    connectionTimeoutMillis: connectMs,
    query_timeout: queryMs,
  }
}
