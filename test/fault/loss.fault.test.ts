import assert from 'node:assert/strict'
import { type Backend, playOn, startForgetfulRedis } from '../support/backends.js'
import { ranMs } from '../support/machine-time.js'

/**
 * What holds without the grace after data loss. Not promised: that a call accepted before the loss runs or is recorded
 * (queue, parked calls and outcomes are gone), nor that a new run waits until one from before the loss has been stopped.
 */
describe('a Redis that comes back without its data', function () {
  this.timeout(120_000)
  let backend: Backend
  before(async () => {
    backend = await startForgetfulRedis()
  })
  after(() => backend.remove())

  it('[P3] [P7] [P24] stops the bodies whose locks it forgot, and what is called next runs under higher tokens', () =>
    playOn(backend, async (fleet) => {
      const workers = [await fleet.worker('w1'), await fleet.worker('w2')]
      const publisher = await fleet.publisher()
      const forgotten = await publisher.call({ work: { n: 1, ms: 60_000 } })
      const parked = await publisher.call({ work: { n: 1, ms: 50 }, overlap: 'defer' })
      const queued = await publisher.call({ work: { n: 2, ms: 50 }, countdown: '60s' })
      assert.deepEqual([parked.outcome, queued.outcome], ['parked', 'published'])
      const { token } = await fleet.seen({ id: forgotten.id, event: 'tick' })

      await backend.crash()
      const askedNs = process.hrtime.bigint()
      await assert.rejects(publisher.call({ work: { n: 3, ms: 0 } }), /cannot be reached|PublishUnknown/)
      assert.ok(ranMs(askedNs) < 10_000)
      await backend.restart()
      const backNs = process.hrtime.bigint()
      const { ns } = await fleet.seen({ id: forgotten.id, event: 'stop' })
      assert.ok(ranMs(backNs, ns) < 5_000, 'at its next renewal')
      fleet.lostData()

      const again = await publisher.call({ work: { n: 1, ms: 50 } })
      const others = await Promise.all([3, 4, 5].map((n) => publisher.call({ work: { n, ms: 50 } })))
      for (const { id, outcome } of [again, ...others]) {
        assert.equal(outcome, 'published')
        await fleet.seen({ id, event: 'end', attempt: 1 })
      }
      const [next] = fleet.lines(again.id)
      assert.ok(next && next.token > token, `token ${next?.token} after ${token}`)
      assert.ok(workers.every((worker) => !worker.exited()))
    }))
})
