import assert from 'node:assert/strict'
import { type Backend, startBackend } from '../support/backends.js'
import { runStorm } from '../support/beat-storm.js'

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
/** `npm run faults:beat` goes on for longer. */
const STORM_MS = 8_000
const SHOWS = { blows: 4, slots: 300, decisions: ['published', 'skipped', 'deferred', 'coalesced'] } as const

describe('two to five beats that are killed and paused at random', function () {
  this.timeout(300_000)
  const backends: Backend[] = []
  before(async () => {
    backends.push(await startBackend('redis'), await startBackend('postgres'))
  })
  after(async () => {
    for (const backend of backends) await backend.remove()
  })

  it(`[P14] [P15] make one decision and at most one message a slot: none missing, doubled or early (SEED=${seed})`, async () => {
    const storms = backends.map(async (backend, at) => {
      // Side by side, since most of it is waiting; another seed each, so that they differ.
      const report = await runStorm({ backend, seed: seed + at, ms: STORM_MS, shows: SHOWS })
      assert.deepEqual(report.wrong, [], `on ${backend.name}, SEED=${seed}`)
      assert.ok(report.slots >= SHOWS.slots, `${report.slots} slots`)
      assert.ok(report.kills + report.pauses >= SHOWS.blows)
      for (const decision of SHOWS.decisions) {
        assert.ok(report.decided[decision], `none of ${report.slots} slots was ${decision} on ${backend.name}`)
      }
    })
    const wrong = (await Promise.allSettled(storms)).flatMap((each) =>
      each.status === 'rejected' ? [each.reason] : [],
    )
    if (wrong.length > 0) throw new AggregateError(wrong, wrong.map(({ message }) => message).join('\n'))
  })
})
