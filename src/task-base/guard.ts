import { UsageError } from '../lock/error.js'
import type { App } from './app.js'
import type { DirectLock } from './direct-body.js'
import { type DirectOptions, readDirectCall, refuseUnknown } from './direct-options.js'

export interface GuardOptions<K extends readonly unknown[] = readonly unknown[]> extends Omit<DirectOptions, 'key'> {
  /** The lock's name, as `locks list` shows it: 1 to 200 printable characters. */
  readonly name: string
  /** Computes from the arguments what makes the key, with the name: any JSON value. Default: one lock for the name. */
  readonly key?: (...args: K) => unknown
}

/**
 * Whether a key's function can be called with the arguments of the guarded one. While the compiler has not looked at that
 * one yet (its arguments are still anything), it must not judge.
 */
type Fits<K extends readonly unknown[], A extends readonly unknown[]> = readonly unknown[] extends A
  ? unknown
  : ((...args: K) => void) extends (...args: [...A]) => void
    ? unknown
    : { 'key takes other arguments than the function': K }

const NAMES = ['name', 'key', 'overlap', 'wait', 'timeout']

/**
 * Guards a function that something else calls: another scheduler, a queue's processor, an HTTP handler. The function is
 * handed the lock (`signal`, `token`, `key`, `remainingMs()`) and then the caller's arguments; what comes back resolves
 * to its value, or to undefined when it was skipped since another process, or this one, is in it.
 *
 * On a loss the signal is aborted and the call rejects with `LockLost`; the body is not killed, so heed the signal.
 *
 * @throws UsageError at once for bad options; the guarded function: AlreadyQueued (overlap `raise`), LockLost,
 * StoreUnavailable (nothing was run), BeatlockError CLOSED, and what the function throws.
 * @example const nightly = guard(app, { name: 'nightly' }, async ({ signal }, day: string) => report(day, signal))
 */
export function guard<A extends readonly unknown[], R, K extends readonly unknown[] = readonly unknown[]>(
  app: App,
  options: GuardOptions<K> & Fits<K, A>,
  fn: (lock: DirectLock, ...args: A) => R,
): (...args: A) => Promise<Awaited<R> | undefined> {
  refuseUnknown('guard', options, NAMES)
  const { name, key, ...rest }: GuardOptions<K> = options
  readDirectCall('guard', name, rest)
  if (key !== undefined && typeof key !== 'function')
    throw new UsageError(`guard '${name}': key must be a function of the arguments, got ${JSON.stringify(key)}.`)
  if (typeof fn !== 'function') throw new UsageError(`guard '${name}' must be given the function to guard.`)
  return async (...args): Promise<Awaited<R> | undefined> => {
    const of = key ? { ...rest, key: computed(name, key as (...args: readonly unknown[]) => unknown, args) } : rest
    const answer = await app.locks.run(name, of, (lock) => fn(lock, ...args))
    return answer.ran ? answer.value : undefined
  }
}

/** The arguments are handed over as they are: a queue's job or a scheduler's own object cannot be copied. */
function computed(name: string, key: (...args: readonly unknown[]) => unknown, args: readonly unknown[]): unknown {
  let value: unknown
  try {
    value = key(...args)
  } catch (cause) {
    throw new UsageError(`guard '${name}': key failed: ${String(cause)}.`, { cause })
  }
  if (value === undefined) throw new UsageError(`guard '${name}': key returned nothing; return a JSON value.`)
  return value
}
