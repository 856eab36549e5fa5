import { BeatlockError, BrokerUnavailable, UsageError } from '../../src/lock/error.js'
import { tlsSilence, tlsTrouble } from '../../src/lock/tls-trouble.js'
import { permissionTrouble, SentinelMistake } from '../../src/task-base/redis-trouble.js'

const SOCKET = /^(ENOENT|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|EACCES)$/
/** Postgres: connection errors, out of resources, shutting down, cancelled, a standby, wrong login or database. */
const POSTGRES = /^(08|53|57|28)...$|^(25006|55P03|3D000)$/
/** Redis and both clients, which give most of these no code. */
const TEXT =
  /^(LOADING|READONLY|MASTERDOWN|OOM|CLUSTERDOWN|MISCONF|NOAUTH|WRONGPASS|BUSY)\b|timed? ?out|Connection is closed|isn't writeable|max retries per request|Connection terminated|not queryable|after calling end|connection error|sentinels|startup nodes|slots cache|Cluster (isn't ready|is ended|redirections)/i

/** The error in the words of the port; one that says nothing about the server's state stays as it is. */
export function asBrokerError(server: string, error: unknown, { cureOf }: Pick<Curable, 'cureOf'> = {}): unknown {
  if (error instanceof BeatlockError || !(error instanceof Error)) return error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  // Denied: that does not pass by waiting, whenever it is met.
  if (code === '42501') return cured(server, error, cureOf) ?? error
  const tls = tlsTrouble(error)
  if (tls !== undefined) return new BrokerUnavailable(server, tls, error)
  const permission = permissionTrouble(error)
  if (permission !== undefined) return new BrokerUnavailable(server, permission, error)
  if (!SOCKET.test(code) && !POSTGRES.test(code) && !TEXT.test(error.message)) return error
  return new BrokerUnavailable(server, error.message === '' ? code : error.message, error)
}

/** BullMQ's codes: no such job, no lock on it, not active, locked by another. */
const TAKEN_AWAY: readonly unknown[] = [-1, -2, -3, -6]

/**
 * Whether it says that a message in hand is the engine's, or another consumer's, again: its queue was purged, or this
 * process gave no sign of life for too long. It is delivered again or is gone, and what ran is in the lock's record.
 */
export function isTakenAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return TAKEN_AWAY.includes((error as { code?: unknown }).code) || /^could not renew lock for job /.test(error.message)
}

/** What is wrong with the URL, by Postgres' code or the first words of Redis. */
const CURES: readonly (readonly [RegExp, string])[] = [
  [
    /^3D000|^ERR (DB index is out of range|invalid DB index)/,
    'it has no such database; name another in the broker URL',
  ],
  [/^28|^(NOAUTH|WRONGPASS)/, "it refuses the broker URL's user or password, or misses them"],
]

/** What is known of a server's errors where it is opened. */
export interface Curable {
  /** What somebody has to mend, where only that helps. */
  readonly cureOf?: ((error: unknown) => string | undefined) | undefined
  readonly over?: 'tls' | 'plain' | undefined
}

function cured(server: string, cause: Error, cureOf: Curable['cureOf']): UsageError | undefined {
  const cure = cureOf?.(cause)
  return cure === undefined ? undefined : new UsageError(`${server}: ${cure}.`, { cause })
}

/** At opening, a wrong login or database is the caller's mistake: waiting does not mend it. */
export function asOpeningError(server: string, error: unknown, { cureOf, over }: Curable = {}): unknown {
  if (error instanceof BeatlockError || !(error instanceof Error)) return error
  const known = cured(server, error, cureOf)
  if (known) return known
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const cure =
    tlsTrouble(error) ??
    permissionTrouble(error) ??
    (error instanceof SentinelMistake ? error.message : undefined) ??
    CURES.find(([sign]) => sign.test(code) || sign.test(error.message))?.[1]
  if (cure === undefined) {
    const silence = over === 'tls' ? tlsSilence(error) : undefined
    return silence === undefined ? asBrokerError(server, error) : new BrokerUnavailable(server, silence, error)
  }
  return new UsageError(`${server}: ${cure} (--broker, BEATLOCK_BROKER or the app's broker).`, { cause: error })
}

/** The promise's value; rejects as timed out when that takes longer. Leaves no timer. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`timed out after ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, over])
  } finally {
    clearTimeout(timer)
  }
}
