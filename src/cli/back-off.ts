import { setTimeout as sleep } from 'node:timers/promises'
import { formatDuration } from '../lock/duration.js'
import { EXIT, exitCodeOf } from './exit.js'
import type { Log } from './log.js'

const FIRST_MS = 500
const LONGEST_MS = 10_000

/** The pause after so many failures in a row: 0.5 s … 10 s, and up to half less, so that processes do not come in step. */
export function backOffMs(failures: number, random = Math.random()): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 16)) * (1 - random / 2)
}

/**
 * Does `step` until a server answers; says at once that it does not, and when it does again. Undefined once `signal` is
 * aborted. Errors other than an unreachable server are thrown.
 */
export async function untilReached<T>(
  step: () => Promise<T>,
  { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
): Promise<T | undefined> {
  const startedAt = performance.now()
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      const reached = await step()
      if (failures > 1) log.info(`the server answers after ${formatDuration(performance.now() - startedAt)}`)
      return reached
    } catch (error) {
      if (exitCodeOf(error) !== EXIT.unreachable) throw error
      const pauseMs = backOffMs(failures)
      log.warn(`${(error as Error).message}; trying again in ${formatDuration(pauseMs)}`, { error: error as Error })
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
    }
  }
  return undefined
}
