// A process that consumes: tells its parent of each delivery. `hold` never ends one; `close` ends all it has, and so itself.
import { type EngineOptions, openEngine } from '../../adapters/bullmq/index.js'

interface Order {
  readonly engine: EngineOptions
  readonly queue: string
  readonly redeliverAfterMs: number
  readonly then: 'hold' | 'close'
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
  await consumer.close('finish')
  await engine.close()
  process.disconnect()
}
