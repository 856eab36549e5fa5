import { UsageError } from '../lock/error.js'
import type { LockSpace } from '../lock/lock-store.js'

/**
 * What a fenced write goes by: `this.request.lock`, what `guard` and `locks.run` hand to a body, or `key`, `token` and
 * `space` as they came from another process.
 */
export interface Fence {
  readonly key: string
  readonly token: number
  readonly space: LockSpace
  /** A transaction that is open when it is aborted is not committed. */
  readonly signal?: AbortSignal
  /** How long, in ms, the lock may still be trusted. */
  remainingMs?(): number
}

/** @throws UsageError for what is no lock: above all the undefined one of a task without a guard. */
export function readFence(who: string, lock: Fence | undefined): Fence {
  if (lock === undefined || lock === null) {
    throw new UsageError(
      `${who} was given no lock: this task runs without one. Extend QueueOnce, or give app.task() the option once; ` +
        "with overlap 'allow' there is no token to write by.",
    )
  }
  const { key, token, space } = lock
  if (typeof key !== 'string' || key === '') throw wrong(who, 'key', 'a text', key)
  if (!Number.isSafeInteger(token) || token < 1) throw wrong(who, 'token', 'a positive whole number', token)
  if (typeof space?.app !== 'string') throw wrong(who, 'space', "the lock's own, with the name of its app", space)
  return lock
}

function wrong(who: string, field: string, what: string, got: unknown): UsageError {
  const shown = JSON.stringify(got) ?? String(got)
  return new UsageError(`${who} expected the lock's ${field} to be ${what}, got ${shown}; pass this.request.lock.`)
}
