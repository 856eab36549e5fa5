import { UsageError } from '../lock/error.js'
import type { Consumer } from '../task-base/engine.js'
import { MOST_CHILDREN } from '../task-base/worker-options.js'
import type { Pool } from './pool.js'

/** How many bodies a worker runs at once, and so how many messages it takes. */
export interface Capacity {
  readonly size: number
  /**
   * Takes more messages once there are children for them; fewer at once. What runs goes on.
   * @throws UsageError unless `size` is a whole number from 1 to 1000, and in a solo pool; BeatlockError CHILD_START if
   * no further child starts: the size stays.
   */
  resize(size: number): Promise<void>
}

export function capacityOf(of: {
  readonly pool: Pool
  readonly consumer: Consumer
  /** Told of each change that was made. */
  readonly resized: (size: number) => void
}): Capacity {
  const { pool, consumer, resized } = of
  const resize = async (size: number): Promise<void> => {
    const before = pool.size
    if (size < before) await consumer.resize(size)
    await pool.resize(size)
    // Also where the pool has the size already: the consumer may have failed to follow the last time.
    if (size >= before) await consumer.resize(size)
    if (size !== before) resized(size)
  }
  let last: Promise<unknown> = Promise.resolve()
  return {
    get size() {
      return pool.size
    },
    resize(size) {
      if (!Number.isInteger(size) || size < 1 || size > MOST_CHILDREN)
        return Promise.reject(
          new UsageError(`a pool's size must be a whole number from 1 to ${MOST_CHILDREN}, got ${String(size)}.`),
        )
      const done = last.then(() => resize(size))
      last = done.catch(() => undefined)
      return done
    },
  }
}
