import { fileURLToPath } from 'node:url'
import { startWorker } from '../../src/worker/worker.js'
import { app } from './beat-app.js'
import { writeSlotLine } from './slot-log.js'

/** The worker of the beat race: a real one, which writes down what it is handed. */
const log = process.env['BEAT_LOG'] ?? ''
const { engine } = (await app.connection()).servers
const consume = engine.consume.bind(engine)
engine.consume = ({ deliver, ...options }) =>
  consume({
    ...options,
    deliver: (delivery) => {
      writeSlotLine(log, { event: 'delivered', id: delivery.message.id, at: Date.now() })
      return deliver(delivery)
    },
  })
const worker = await startWorker({
  app,
  module: fileURLToPath(new URL('./beat-app.js', import.meta.url)),
  name: `worker${process.pid}`,
  concurrency: 3,
  pool: 'prefork',
  queues: ['default'],
  softTimeLimitMs: null,
  timeLimitMs: null,
})
process.send?.({ say: 'ready' })
process.once('disconnect', () => process.exit(1))
process.once('SIGTERM', () => {
  void worker.stop('warm').then(() => process.exit(0))
})
