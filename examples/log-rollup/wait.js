import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Asks until the answer is neither undefined nor false.
 *
 * @template T
 * @param {() => T | Promise<T>} ask
 * @param {{ what: string, timeoutMs: number, pauseMs?: number, signal: AbortSignal }} of
 * @returns {Promise<Exclude<T, undefined | false>>}
 * @throws {Error} when the time is over; the signal's reason when it is aborted
 */
export async function until(ask, { what, timeoutMs, pauseMs = 50, signal }) {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    signal.throwIfAborted()
    const answer = await ask()
    if (answer !== undefined && answer !== false) return /** @type {Exclude<T, undefined | false>} */ (answer)
    if (performance.now() > deadline) throw new Error(`waited ${Math.round(timeoutMs / 1000)} s in vain for ${what}.`)
    await pause(pauseMs, signal)
  }
}

/**
 * @param {number} ms
 * @param {AbortSignal} signal
 * @throws the signal's reason when it is aborted
 */
export async function pause(ms, signal) {
  await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted())
}
