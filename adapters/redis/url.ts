import { UsageError } from '../../src/lock/error.js'

/** A Redis URL taken apart. `server` is what may be shown: host and port, no credentials. */
export interface RedisAddress {
  readonly host: string
  readonly port: number
  readonly username: string | undefined
  readonly password: string | undefined
  readonly db: number
  readonly tls: boolean
  readonly server: string
}

/**
 * Reads `redis://[user:password@]host[:port][/db]`, or `rediss://` for TLS. Port 6379 and database 0 unless given.
 *
 * @throws UsageError that says what is wrong, never with the credentials: unlike the client, it refuses query
 * parameters, since a misspelt one would be an option silently not set.
 */
export function parseRedisUrl(text: string): RedisAddress {
  const url = urlOf(text)
  const unknown = [...new Set(url.searchParams.keys())]
  if (unknown.length > 0) {
    throw new UsageError(`the Redis URL has unknown parameters: ${unknown.join(', ')}. It takes none.`)
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  if (host === '') throw new UsageError('the Redis URL names no host: write redis://host:6379/0.')
  const port = url.port === '' ? 6379 : Number(url.port)
  return {
    host,
    port,
    username: decoded(url.username, 'user name'),
    password: decoded(url.password, 'password'),
    db: databaseOf(url.pathname),
    tls: url.protocol === 'rediss:',
    server: `${url.hostname}:${port}`,
  }
}

function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'redis:' || url?.protocol === 'rediss:') return url
  throw new UsageError('not a Redis URL: write redis://[user:password@]host:6379/0, or rediss:// for TLS.')
}

function databaseOf(path: string): number {
  const text = path.replace(/^\/+|\/+$/g, '')
  if (text === '') return 0
  if (/^\d{1,6}$/.test(text)) return Number(text)
  throw new UsageError(`the path of a Redis URL is the number of a database, got '${text}': write redis://host:6379/0.`)
}

function decoded(text: string, what: string): string | undefined {
  if (text === '') return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    throw new UsageError(`the ${what} in the Redis URL is not percent-encoded: write % as %25.`)
  }
}
