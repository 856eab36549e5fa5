import type { Emitter } from '../lock/emit.js'
import type { Consumer } from '../task-base/engine.js'
import type { AppEvents } from '../task-base/event.js'
import type { Pool } from './pool.js'

/** Whether messages are taken follows whether bodies can start: what this worker cannot run, another may. */
export function followServing(of: {
  readonly pool: Pool
  readonly consumer: Consumer
  readonly events: Emitter<AppEvents>
  readonly worker: string
}): { stop(): void } {
  const { pool, consumer, events, worker } = of
  const failed = (error: Error) => events.emit('trouble', { where: 'broker', error })
  let stalledAt = 0
  let stopped = false
  pool.onServing((serving) => {
    // A stop has its own pause, which nothing may end.
    if (stopped) return
    if (serving) {
      events.emit('worker:resumed', { worker, ms: performance.now() - stalledAt })
      consumer.resume().catch(failed)
    } else {
      stalledAt = performance.now()
      events.emit('worker:stalled', { worker })
      consumer.pause().catch(failed)
    }
  })
  return {
    stop() {
      stopped = true
    },
  }
}
