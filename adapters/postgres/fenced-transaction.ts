import { UsageError } from '../../src/lock/error.js'
import { CommitUnknown, LockLost, StaleToken } from '../../src/task-base/error.js'
import { type Fence, readFence } from '../../src/task-base/fence.js'
import { refuseUnknown } from '../../src/task-base/unknown-option.js'
import { codeOf, failureOf } from './failure.js'
import type { FencedClient, FencedPool } from './fenced-client.js'
import { highWaterTable, holdHighWater, makeHighWater } from './high-water.js'
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
 * then the server ends the transaction. `work` is given the client, and must neither end the transaction nor use the client afterwards. A pool
 * gets its connection back clean, or loses it where it broke.
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

interface Asked {
  readonly fence: Fence
  readonly signal: AbortSignal | undefined
  readonly begin: string
  readonly schema: string
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
  const begin = isolation === undefined ? 'begin' : `begin isolation level ${isolation}`
  return { fence, signal, begin, schema: quotedSchema(schema) }
}

function isPool<C extends FencedClient>(from: FencedPool<C> | C): from is FencedPool<C> {
  if (typeof from === 'object' && from !== null) {
    if ('totalCount' in from && 'connect' in from) return true
    if ('query' in from && 'on' in from) return false
  }
  throw new UsageError('fencedTransaction must be given a Pool or a connected Client of pg.')
}

/** A connection, and what broke it: heard of here, since nobody else listens while it is lent. */
interface Watched<C> {
  readonly client: C
  broken: unknown
  readonly unwatch: () => void
}

function watched<C extends FencedClient>(client: C): Watched<C> {
  const hear = (error: Error): void => {
    connection.broken ??= error
  }
  client.on('error', hear)
  const connection: Watched<C> = { client, broken: undefined, unwatch: () => client.removeListener('error', hear) }
  return connection
}

async function inTransaction<R, C extends FencedClient>(
  connection: Watched<C>,
  asked: Asked,
  work: (client: C) => R,
): Promise<Awaited<R>> {
  const { client } = connection
  try {
    await open(client, asked)
    const value = await work(client)
    asked.signal?.throwIfAborted()
    await commit(connection, asked.fence)
    return value
  } catch (error) {
    await undo(connection)
    throw codeOf(connection.broken) === IDLE_TOO_LONG ? ended(connection.broken) : error
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

/**
 * The savepoint is released at the commit: whoever ended the transaction meanwhile, and wrote on without the fence, has
 * lost it.
 */
async function open(client: FencedClient, asked: Asked): Promise<void> {
  const { fence, begin, schema } = asked
  const found = await look(client, `${begin}; savepoint beatlock_fence`, asked)
  if (found.ours && (await holdHere(client, fence))) return
  if (found.table) return await holdHighWater(client, fence, schema)
  await client.query('rollback')
  await makeHighWater(client, schema)
  await client.query(`${begin}; savepoint beatlock_fence`)
  await holdHighWater(client, fence, schema)
}

interface Found {
  /** A schema of the name that the locks' own has; whether it is that one its function says. */
  readonly ours: boolean
  readonly table: boolean
}

/** In the trip that begins the transaction. Names are plain: they need no more than quotes. */
async function look(client: FencedClient, begin: string, { fence, schema }: Asked): Promise<Found> {
  const ours = fence.space.postgres ? `to_regprocedure('${fenceFunction(fence)}(uuid,text,text,bigint)')` : 'null'
  const question = `select ${ours} is not null as ours, to_regclass('${highWaterTable(schema)}') is not null as "table"`
  try {
    const answers = (await client.query(`${begin}; ${question}`)) as unknown as readonly { rows: Found[] }[]
    return answers.at(-1)?.rows[0] as Found
  } catch (error) {
    throw codeOf(error) === '42501' ? notAllowed(fence, error) : error
  }
}

function fenceFunction({ space }: Fence): string {
  return `${quotedSchema(space.postgres?.schema)}.fence_v1`
}

/** False where the locks are elsewhere. */
async function holdHere(client: FencedClient, fence: Fence): Promise<boolean> {
  const { key, token, space } = fence
  try {
    const values = [space.postgres?.id, space.app, key, token]
    const { rows } = await client.query(`select ${fenceFunction(fence)}($1, $2, $3, $4) as held`, values)
    return (rows[0] as { held: boolean }).held
  } catch (error) {
    if (codeOf(error) === 'BL002') throw new StaleToken({ key, token, cause: error })
    throw codeOf(error) === '42501' ? notAllowed(fence, error) : error
  }
}

function notAllowed(fence: Fence, cause: unknown): UsageError {
  const schema = quotedSchema(fence.space.postgres?.schema)
  return new UsageError(
    `fencedTransaction: this role may not ask the locks on this server; GRANT USAGE ON SCHEMA ${schema} TO it.`,
    { cause },
  )
}

/** Longer than a server that lives takes to end a transaction. */
const ANSWER_MS = 5_000
const LONGEST_TIMER_MS = 2 ** 31 - 1

async function commit(connection: Watched<FencedClient>, fence: Fence): Promise<void> {
  // Broken before COMMIT was sent: nothing is written.
  if (connection.broken !== undefined) throw ended(connection.broken)
  try {
    const sent = connection.client.query('release savepoint beatlock_fence; commit')
    await within(Math.max(ANSWER_MS, fence.remainingMs?.() ?? Number.POSITIVE_INFINITY), sent)
  } catch (error) {
    const code = codeOf(error)
    if (code === IDLE_TOO_LONG) throw ended(error)
    if (code === '3B001' || code === '25P01') throw new UsageError(ENDED_BY_WORK, { cause: error })
    // An error that the server answered: it has not committed.
    if (code !== undefined && failureOf(error) !== 'disconnected') throw error
    connection.broken ??= error
    throw new CommitUnknown({ key: fence.key, token: fence.token, cause: error })
  }
}

/** idle_in_transaction_session_timeout: the session is gone. */
const IDLE_TOO_LONG = '25P03'
const ENDED_BY_WORK =
  'fencedTransaction: the function ended the transaction itself, so that nothing fenced what it wrote after that.'

function ended(error: unknown): unknown {
  if (codeOf(error) !== IDLE_TOO_LONG) return error
  return new LockLost('its transaction was idle for longer than its lease had left', { cause: error })
}

/** Whatever is unclear about the connection afterwards, it is not used again. */
async function undo(connection: Watched<FencedClient>): Promise<void> {
  if (connection.broken !== undefined) return
  try {
    await within(ANSWER_MS, connection.client.query('rollback'))
  } catch (error) {
    connection.broken ??= error
  }
}

async function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  if (ms > LONGEST_TIMER_MS) return await answer
  let timer: NodeJS.Timeout | undefined
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('timeout: no answer')), ms)
  })
  try {
    return await Promise.race([answer, silence])
  } finally {
    clearTimeout(timer)
  }
}
