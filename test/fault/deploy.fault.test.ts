import assert from 'node:assert/strict'
import { type Backend, onAll, startBackend } from '../support/backends.js'
import { until } from '../support/until.js'

describe('[F8] a rolling deploy under load', function () {
  this.timeout(180_000)
  const backends: Backend[] = []
  before(async () => void backends.push(await startBackend('redis'), await startBackend('postgres')))
  after(() => Promise.all(backends.map((backend) => backend.remove())))

  it('[P18] [P22] loses no parked call, releases no lock whose body runs, and overlaps nothing', () =>
    onAll(
      backends,
      async (fleet) => {
        const workers = [await fleet.worker('w1'), await fleet.worker('w2')]
        const publishers = [await fleet.publisher(), await fleet.publisher()]
        const parked = () =>
          fleet.acks().filter(({ outcome }) => outcome === 'parked' || outcome === 'coalesced').length
        let deployed = false
        const calls = publishers.map(async (publisher, first) => {
          let count = 0
          for (let seed = first; !deployed || count <= 20 || parked() <= 20; seed += publishers.length)
            count += await publisher.hammer({ seed, ms: 1_000, keys: 3, longestMs: 500 })
        })
        for (const old of workers) {
          const answered = fleet.acks().length
          await until(() => fleet.acks().length > answered + 10, { what: 'load' })
          await fleet.worker(`${old.name}.new`)
          await old.stop()
        }
        deployed = true
        await Promise.all(calls)
        assert.ok(!fleet.lines().some(({ event, attempt }) => event === 'stop' || attempt > 1), 'no body was cut off')
      },
      '15s',
    ))
})
