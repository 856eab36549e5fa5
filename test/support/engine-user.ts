// A process that consumes: tells its parent of each delivery. `hold` never ends one; `close` and `closeNow` end all it
// has, and so itself, the one finished, the other in the middle of waiting for work.
import { setTimeout as sleep } from 'node:timers/promises'
import { type EngineOptions, openEngine } from '../../adapters/bullmq/index.js'

interface Order {
  readonly engine: EngineOptions
  readonly queue: string
  readonly redeliverAfterMs: number
  readonly then: 'hold' | 'close' | 'closeNow'
}

process.once('message', (order: Order) => void consume(order))

async function consume({ engine: options, queue, redeliverAfterMs, then }: Order): Promise<void> {
  const engine = await openEngine(options)
  let acknowledged: () => void = () => {}
  const once = new Promise<void>((resolve) => {
    acknowledged = resolve
  })
  const consumer = await engine.consume({
    queues: [queue],
    concurrency: 1,
    redeliverAfterMs,
    deliver: async ({ message }) => {
      process.send?.(message.id)
      return then === 'hold' ? new Promise(() => {}) : { verdict: 'ack' }
    },
    acknowledged: () => acknowledged(),
    trouble: () => {},
  })
  await once
  // A consumer that waits for work again has asked the server for its next delayed job by then.
  if (then === 'closeNow') await sleep(1_000)
  await consumer.close(then === 'closeNow' ? 'now' : 'finish')
  await engine.close()
  process.disconnect()
}
