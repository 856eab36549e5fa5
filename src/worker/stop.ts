import { setTimeout as sleep } from 'node:timers/promises'
import type { Consumer } from '../task-base/engine.js'

/** How long a stop waits for a server once no delivery is under way, or, told cold, at all. */
const PATIENCE_MS = 5_000
const LOOK_EVERY_MS = 100

export interface ConsumerEnd {
  readonly consumer: Consumer
  /** Whether a delivery is under way: its body, or the writing down of its end. */
  readonly busy: () => boolean
  readonly cold: AbortSignal
}

/**
 * Finishes what is under way, for as long as that takes unless told cold. An idle consumer that does not end within a
 * bound, its server being away, is left: its messages are delivered again.
 */
export async function endConsumer({ consumer, busy, cold }: ConsumerEnd): Promise<void> {
  const over = new AbortController()
  const finished = finish(consumer)
  // It may still reject after it was left, when nobody looks any more.
  finished.catch(() => undefined)
  try {
    const how = await Promise.race([finished, patienceEnds({ busy, cold, over: over.signal })])
    if (how === 'late') await Promise.race([consumer.close('now'), sleep(PATIENCE_MS, undefined, over)])
  } finally {
    over.abort()
  }
}

async function finish(consumer: Consumer): Promise<void> {
  try {
    await consumer.pause()
  } finally {
    await consumer.close('finish')
  }
}

async function patienceEnds(of: { busy: () => boolean; cold: AbortSignal; over: AbortSignal }): Promise<'late'> {
  let since = performance.now()
  while (!of.over.aborted && performance.now() - since < PATIENCE_MS) {
    await sleep(LOOK_EVERY_MS, undefined, { signal: of.over }).catch(() => undefined)
    if (of.busy() && !of.cold.aborted) since = performance.now()
  }
  return 'late'
}

/** Takes every step, whatever becomes of the others. */
export async function everyStep(steps: readonly (() => unknown)[], failed: (error: Error) => void): Promise<void> {
  for (const step of steps) {
    try {
      await step()
    } catch (error) {
      failed(error instanceof Error ? error : new Error(String(error)))
    }
  }
}
