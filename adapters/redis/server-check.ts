import { ServerUnavailable, UsageError } from '../../src/lock/error.js'

const OLDEST = { major: 6, minor: 2 }

interface Server {
  readonly server: string
  ask(request: { readonly command: string; readonly args: readonly string[] }): Promise<unknown>
}

/**
 * Looks once, at opening, whether the server can keep locks: Redis ≥ 6.2 or Valkey, and no eviction of keys without a
 * lifetime, since it would evaporate locks under memory pressure. What the server does not let us see is not checked.
 *
 * @throws UsageError with advice
 */
export async function checkServer(
  connection: Server,
  { db, of }: { readonly db: number; readonly of: 'cluster' | 'none' },
): Promise<void> {
  if (db !== 0) await checkDatabase(connection, db)
  const [info, policy] = await Promise.all([
    allowed(connection, 'INFO', ['server']),
    allowed(connection, 'CONFIG', ['GET', 'maxmemory-policy']),
  ])
  checkVersion(connection.server, String(info))
  if (of === 'none' && /^redis_mode:cluster/m.test(String(info))) {
    throw new UsageError(
      `${connection.server} is a node of a cluster; write redis+cluster:// and name some of its nodes.`,
    )
  }
  const eviction = Array.isArray(policy) ? String(policy[1]) : ''
  if (!eviction.startsWith('allkeys-')) return
  throw new UsageError(
    `${connection.server} evicts any key when its memory is full (maxmemory-policy ${eviction}), locks included. ` +
      "Set 'noeviction' or a 'volatile-' policy, or keep the locks on a server of their own (locks.url).",
  )
}

/** The client takes a refused SELECT for an event and goes on in database 0. */
async function checkDatabase(connection: Server, db: number): Promise<void> {
  try {
    await connection.ask({ command: 'SELECT', args: [String(db)] })
  } catch (error) {
    if (error instanceof ServerUnavailable) throw error
    const advice = 'name another in the URL of --locks or --broker, or 0'
    throw new UsageError(
      `${connection.server} has no database ${db} for us (${(error as Error).message}); ${advice}.`,
      {
        cause: error,
      },
    )
  }
}

function checkVersion(server: string, info: string): void {
  const [, major, minor] = /^redis_version:(\d+)\.(\d+)/m.exec(info) ?? []
  if (major === undefined) return
  const old = Number(major) < OLDEST.major || (Number(major) === OLDEST.major && Number(minor) < OLDEST.minor)
  if (old) throw new UsageError(`${server} is Redis ${major}.${minor}; beatlock needs Redis 6.2 or later, or Valkey.`)
}

/** Managed servers hide CONFIG behind permissions or rename it. */
async function allowed(connection: Server, command: string, args: readonly string[]): Promise<unknown> {
  try {
    return await connection.ask({ command, args })
  } catch (error) {
    if (isForbidden(error)) return undefined
    throw error
  }
}

function isForbidden(error: unknown): boolean {
  const text = error instanceof Error ? `${error.message} ${String(error.cause)}` : ''
  return /NOPERM|unknown command/i.test(text)
}
