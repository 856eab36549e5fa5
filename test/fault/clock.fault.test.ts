import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { type Backend, onAll, startBackend } from '../support/backends.js'

const LIBRARY = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`)
  .find((file) => existsSync(file))

describe('[F6] processes whose wall clocks are ten minutes off', function () {
  this.timeout(180_000)
  const backends: Backend[] = []
  before(async () => {
    assert.ok(LIBRARY, 'libfaketime is missing: apt-get install faketime')
    backends.push(await startBackend('redis'), await startBackend('postgres'))
  })
  after(() => Promise.all(backends.map((backend) => backend.remove())))

  /** The wall clock only: the monotonic one never steps. */
  const clock = (offset: string): Record<string, string> => ({
    LD_PRELOAD: LIBRARY ?? '',
    FAKETIME: offset,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  })

  it('[P2] [P12] [P15] neither overlap, nor lose a call, nor start one early', () =>
    onAll(backends, async (fleet) => {
      const ahead = await fleet.publisher({ env: clock('+600s') })
      const behind = await fleet.publisher({ env: clock('-600s') })
      await fleet.worker('ahead', { concurrency: 4, env: clock('+600s') })
      await fleet.worker('behind', { concurrency: 4, env: clock('-600s') })
      const calls = [ahead, behind].map(async (publisher, n) => {
        const first = await publisher.call({ work: { n, ms: 7500 }, expires: '60s' })
        const parked = await publisher.call({ work: { n, ms: 100 }, overlap: 'defer', expires: '60s' })
        const later = await publisher.call({ work: { n: n + 10, ms: 100 }, countdown: '2s', expires: '60s' })
        const start = await fleet.seen({ id: later.id, event: 'start' })
        assert.ok(start.ns - later.askedNs >= 1_900_000_000n, 'not before its time')
        assert.deepEqual([first.outcome, parked.outcome], ['published', 'parked'])
        await fleet.seen({ id: first.id, event: 'end', attempt: 1 })
        await fleet.seen({ id: parked.id, event: 'end', attempt: 1 })
      })
      await Promise.all(calls)
    }))
})
