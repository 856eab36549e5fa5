import { UsageError } from '../../src/lock/error.js'
import { type Fence, readFence } from '../../src/task-base/fence.js'
import { refuseUnknown } from '../../src/task-base/unknown-option.js'
import { begin, type FencedWork } from './fence-begin.js'
import { commit, endedIdle, undo, type Watched, watched } from './fence-end.js'
import type { FencedClient, FencedPool } from './fenced-client.js'
import { quotedSchema } from './options.js'

export interface FencedTransactionOptions {
  /** Aborted: nothing is committed any more. Default: the lock's own, where it has one. */
  readonly signal?: AbortSignal
  /** Default: the session's own. */
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable'
  /** Where the table `beatlock_fence` is, on a server that is not the locks' own. It must exist. Default `public`. */
  readonly schema?: string
}

/**
 * Runs statements in one transaction that commits only while the lock's token is good, on a Postgres of yours.
 *
 * On the very Postgres that has the locks it commits only if the token is current: renewals go on, and whoever would be
 * granted the place next waits for the end of the transaction. Anywhere else no lower token commits after a higher one of
 * that lock: the highest is kept in a table `beatlock_fence`, made once. With `limit` above 1 that refuses the older of
 * two runs that are both allowed.
 *
 * Each statement, and each pause between two, may take as long as the lease still had at the start (by default 10 to 15 s);
 * then the server ends the transaction. `work` is given the client, and must neither end the transaction nor use the
 * client afterwards. A pool gets its connection back clean, or loses it where it broke.
 *
 * @throws StaleToken (nothing is written), CommitUnknown (the answer to COMMIT was lost), LockLost where the transaction
 * was idle for longer than the lease had left, UsageError, the signal's reason, and what `work` throws: nothing is written.
 * @example await fencedTransaction(pool, this.request.lock, (client) => client.query('update totals set …'))
 */
export async function fencedTransaction<R, C extends FencedClient = FencedClient>(
  from: FencedPool<C> | C,
  lock: Fence | undefined,
  work: (client: C) => R,
  options: FencedTransactionOptions = {},
): Promise<Awaited<R>> {
  const fence = readFence('fencedTransaction', lock)
  const asked = readOptions(fence, options)
  if (typeof work !== 'function')
    throw new UsageError('fencedTransaction must be given a function that takes the client.')
  asked.signal?.throwIfAborted()
  if (!isPool(from)) {
    requireNone(from)
    return inTransaction(watched(from), asked, work)
  }
  const client = await from.connect()
  const connection = watched<C>(client)
  try {
    return await inTransaction(connection, asked, work)
  } finally {
    client.release(connection.broken !== undefined)
  }
}

interface Asked extends FencedWork {
  readonly signal: AbortSignal | undefined
}

const OPTIONS = ['signal', 'isolation', 'schema']
const ISOLATIONS: readonly unknown[] = [undefined, 'read committed', 'repeatable read', 'serializable']

function readOptions(fence: Fence, options: FencedTransactionOptions): Asked {
  refuseUnknown('fencedTransaction', options, OPTIONS)
  const { isolation, signal = fence.signal, schema = 'public' } = options
  if (!ISOLATIONS.includes(isolation)) {
    const got = JSON.stringify(isolation)
    throw new UsageError(
      `fencedTransaction: isolation must be 'read committed', 'repeatable read' or 'serializable', got ${got}.`,
    )
  }
  const statement = isolation === undefined ? 'begin' : `begin isolation level ${isolation}`
  return { fence, signal, begin: statement, schema: quotedSchema(schema) }
}

function isPool<C extends FencedClient>(from: FencedPool<C> | C): from is FencedPool<C> {
  if (typeof from === 'object' && from !== null) {
    if ('totalCount' in from && 'connect' in from) return true
    if ('query' in from && 'on' in from) return false
  }
  throw new UsageError('fencedTransaction must be given a Pool or a connected Client of pg.')
}

async function inTransaction<R, C extends FencedClient>(
  connection: Watched<C>,
  asked: Asked,
  work: (client: C) => R,
): Promise<Awaited<R>> {
  const { client } = connection
  try {
    await begin(client, asked)
    const value = await work(client)
    asked.signal?.throwIfAborted()
    await commit(connection, asked.fence)
    return value
  } catch (error) {
    await undo(connection)
    throw endedIdle(connection.broken) ?? error
  } finally {
    connection.unwatch()
  }
}

/** What somebody else began is not ours to undo. */
function requireNone(client: FencedClient): void {
  if ('TE'.includes(client.getTransactionStatus?.() ?? 'I')) throw new UsageError(ALREADY_OPEN)
}

const ALREADY_OPEN =
  'fencedTransaction was given a client that is in a transaction already; give it the pool, or a client outside of one.'
