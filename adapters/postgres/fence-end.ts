import { UsageError } from '../../src/lock/error.js'
import { CommitUnknown, LockLost } from '../../src/task-base/error.js'
import type { Fence } from '../../src/task-base/fence.js'
import { codeOf, failureOf } from './failure.js'
import { SAVEPOINT } from './fence-begin.js'
import type { FencedClient } from './fenced-client.js'

/** A connection, and what broke it: heard of here, since nobody else listens while it is lent. */
export interface Watched<C> {
  readonly client: C
  broken: unknown
  readonly unwatch: () => void
}

export function watched<C extends FencedClient>(client: C): Watched<C> {
  const hear = (error: Error): void => {
    connection.broken ??= error
  }
  client.on('error', hear)
  const connection: Watched<C> = { client, broken: undefined, unwatch: () => client.removeListener('error', hear) }
  return connection
}

/** Longer than a server that lives takes to end a transaction. */
const ANSWER_MS = 5_000
const LONGEST_TIMER_MS = 2 ** 31 - 1

export async function commit(connection: Watched<FencedClient>, fence: Fence): Promise<void> {
  // Broken before COMMIT was sent: nothing is written.
  if (connection.broken !== undefined) throw connection.broken
  try {
    const sent = connection.client.query(`release savepoint ${SAVEPOINT}; commit`)
    await within(Math.max(ANSWER_MS, fence.remainingMs?.() ?? Number.POSITIVE_INFINITY), sent)
  } catch (error) {
    const code = codeOf(error)
    if (code === IDLE_TOO_LONG) throw endedIdle(error)
    if (code === '3B001' || code === '25P01') throw new UsageError(ENDED_BY_WORK, { cause: error })
    // An error that the server answered: it has not committed.
    if (code !== undefined && failureOf(error) !== 'disconnected') throw error
    connection.broken ??= error
    throw new CommitUnknown({ key: fence.key, token: fence.token, cause: error })
  }
}

const IDLE_TOO_LONG = '25P03'
const ENDED_BY_WORK =
  'fencedTransaction: the function ended the transaction itself, so that nothing fenced what it wrote after that.'

/** Undefined for any other end than by idle_in_transaction_session_timeout, which ends the session, too. */
export function endedIdle(error: unknown): LockLost | undefined {
  if (codeOf(error) !== IDLE_TOO_LONG) return undefined
  return new LockLost('its transaction was idle for longer than its lease had left', { cause: error })
}

/** Whatever is unclear about the connection afterwards, it is not used again. */
export async function undo(connection: Watched<FencedClient>): Promise<void> {
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
