import { startBeat } from '../../src/beat/beat.js'
import { beatApp } from './beat-app.js'

/** A beat of the race tests: says when it runs, stops warm at SIGTERM, dies with its parent. */
const app = beatApp(process.env['BEAT_APP'] ?? '', process.env['BEAT_BROKER'] ?? '')
const beat = await startBeat({ app, name: `beat${process.pid}`, claimMs: 2_000 })
process.send?.({ say: 'ready' })
process.once('disconnect', () => process.exit(1))
process.once('SIGTERM', () => {
  void beat.stop().then(() => process.exit(0))
})
