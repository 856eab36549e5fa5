import { parseDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import type { BodyVerdict } from './body.js'
import { readInstant } from './call.js'
import { errorText } from './carried-error.js'
import { LockLost, SoftTimeLimitExceeded } from './error.js'
import { type RetryPolicy, retriesAfter, retryDelayMs } from './retry-policy.js'
import { RetryRequested } from './task.js'

/** The run that threw. */
interface Thrown {
  /** Before this run. */
  readonly retries: number
  readonly signal: AbortSignal
}

/** An abort is wrapped once or twice; a bound for what runs in a circle. */
const DEEPEST_CAUSE = 8

/** How a body ended that threw: asked to run again, is to by its task's own rule, or failed. */
export function verdictOnThrown(policy: RetryPolicy, request: Thrown, error: unknown): BodyVerdict {
  if (error instanceof RetryRequested) return retryOf(policy, request, error)
  const { reason } = request.signal
  // Told to stop since its lock is gone, or since somebody wanted its end: that is no failure of its own.
  if (!(reason instanceof LockLost) && retriesAfter(policy, error)) {
    return { end: 'retry', countdownMs: nextDelayMs(policy, request), error: errorText(error) }
  }
  const threw = { end: 'threw', error: errorText(error) } as const
  return reason instanceof SoftTimeLimitExceeded && stemsFrom(error, reason)
    ? { ...threw, code: 'SOFT_TIME_LIMIT' }
    : threw
}

function retryOf(policy: RetryPolicy, request: Thrown, { options }: RetryRequested): BodyVerdict {
  const { countdown, eta, cause } = options
  try {
    if (countdown !== undefined && eta !== undefined)
      throw new UsageError('retry has both countdown and eta; keep one of them.')
    const countdownMs =
      countdown !== undefined
        ? parseDuration(countdown, 'retry: countdown')
        : eta !== undefined
          ? Math.max(0, readInstant('retry: eta', eta) - Date.now())
          : nextDelayMs(policy, request)
    return { end: 'retry', countdownMs, error: cause === undefined ? null : errorText(cause) }
  } catch (bad) {
    return { end: 'threw', error: errorText(bad) }
  }
}

function nextDelayMs(policy: RetryPolicy, { retries }: Thrown): number {
  return retryDelayMs(policy, retries, Math.random())
}

/** Node's own functions wrap the signal's reason in an AbortError. */
function stemsFrom(error: unknown, reason: unknown): boolean {
  let each = error
  try {
    for (let depth = 0; depth < DEEPEST_CAUSE && each instanceof Error; depth++) {
      if (each === reason) return true
      each = each.cause
    }
  } catch {
    // A getter of the task's own.
  }
  return false
}
