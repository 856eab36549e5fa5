import { startBeat } from '../../src/beat/beat.js'
import { app } from './beat-app.js'
import { writeSlotLine } from './slot-log.js'

/** A beat of the race: writes down what it sends, says when it runs, stops warm at SIGTERM, dies with its parent. */
const log = process.env['BEAT_LOG'] ?? ''
const { engine } = (await app.connection()).servers
const publish = engine.publish.bind(engine)
engine.publish = (message, how) => {
  writeSlotLine(log, { event: 'sent', id: message.id, at: Date.now() })
  return publish(message, how)
}
const beat = await startBeat({ app, name: `beat${process.pid}`, claimMs: 2_000 })
process.send?.({ say: 'ready' })
process.once('disconnect', () => process.exit(1))
process.once('SIGTERM', () => {
  void beat.stop().then(() => process.exit(0))
})
