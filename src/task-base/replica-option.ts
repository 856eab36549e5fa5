import { type Duration, parseDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import type { WaitReplicas } from '../lock/wait-replicas.js'
import { refuseUnknown } from './unknown-option.js'

const TIMEOUT_MS = 1_000
const MOST = 10
/** A renewal has a third of the shortest lease for its answer and the replicas'. */
const LONGEST_MS = 1_500

/** `locks.waitReplicas`. @throws UsageError that names the option, the value and the cure. */
export function readWaitReplicas(
  where: string,
  wait: { readonly count: number; readonly timeout?: Duration } | undefined,
): WaitReplicas | undefined {
  if (wait === undefined) return undefined
  if (typeof wait !== 'object' || wait === null)
    throw new UsageError(`${where} must be an object such as { count: 1, timeout: '1s' }, got ${JSON.stringify(wait)}.`)
  refuseUnknown(where, wait, ['count', 'timeout'])
  const { count, timeout } = wait
  if (!Number.isInteger(count) || count < 1 || count > MOST)
    throw new UsageError(`${where}.count must be a whole number from 1 to ${MOST}, got ${JSON.stringify(count)}.`)
  const timeoutMs = timeout === undefined ? TIMEOUT_MS : parseDuration(timeout, `${where}.timeout`, { minMs: 10 })
  if (timeoutMs > LONGEST_MS)
    throw new UsageError(
      `${where}.timeout must be 1500ms at most, got ${JSON.stringify(timeout)}: a lease must not run out meanwhile.`,
    )
  return { count, timeoutMs }
}
