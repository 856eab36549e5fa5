import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Waits until `condition` holds (its value is truthy) and answers that value; fails with `what` after `timeoutMs`.
 * Not counted is what this process slept too long, as where the machine stood still.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 30_000, everyMs = 10, what = 'the condition' } = {},
): Promise<NonNullable<T>> {
  let deadline = performance.now() + timeoutMs
  for (;;) {
    const value = await condition()
    if (value) return value as NonNullable<T>
    const pausedAt = performance.now()
    if (pausedAt > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`)
    await sleep(everyMs)
    deadline += Math.max(0, performance.now() - pausedAt - everyMs)
  }
}
