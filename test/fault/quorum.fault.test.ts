import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Backend, startBackend } from '../support/backends.js'
import { processState } from '../support/body-log.js'
import { type Fleet, startFleet } from '../support/fleet.js'
import { type Quorum, startQuorum } from '../support/quorum.js'
import { until } from '../support/until.js'

for (const name of ['redis', 'postgres'] as const) {
  describe(`workers with a quorum as barrier, on ${name}`, function () {
    this.timeout(120_000)
    let backend: Backend
    let quorum: Quorum
    let fleet: Fleet
    let env: Record<string, string>

    before(async () => {
      ;[backend, quorum] = await Promise.all([startBackend(name), startQuorum()])
      env = { FAULT_QUORUM: quorum.urls.join() }
    })
    after(() => Promise.all([backend.remove(), quorum.remove()]))
    beforeEach(() => {
      fleet = startFleet({ url: backend.url })
    })
    afterEach(() => fleet.end())

    it('[P1] [P2] [P3] [P10] keep every promise while one node after the other is killed, paused and emptied', async () => {
      await Promise.all([fleet.worker('w1', { env }), fleet.worker('w2', { env })])
      const publisher = await fleet.publisher()
      const calls = publisher.hammer({ seed: 7, ms: 4_000, keys: 3, longestMs: 300 })
      let over = false
      void calls.finally(() => {
        over = true
      })
      for (let round = 0; !over; round += 1) {
        const node = round % 3
        const wake = quorum.pause(node)
        await sleep(600)
        wake()
        // Killed and emptied.
        await quorum.stop(node)
        await quorum.start(node)
      }
      assert.ok((await calls) > 0)
      assert.deepEqual(await fleet.check(), [])
    })

    // Where the record is makes no difference to these.
    if (name === 'postgres') {
      it('[P2] [P6] [P7] a body without a quorum is stopped when its trust ends, and runs again once there is one', async () => {
        const worker = await fleet.worker('w1', { env })
        const publisher = await fleet.publisher()
        const { id } = await publisher.call({ work: { n: 1, ms: 60_000, thenMs: 50, how: 'spin' } })
        await fleet.seen({ id, event: 'tick' })
        await quorum.stop(0, 1)
        try {
          await until(() => worker.events.some(({ name }) => name === 'run:lost'), { what: 'the loss' })
        } finally {
          await quorum.start(0, 1)
        }
        const { attempt } = await fleet.seen({ id, event: 'end' })
        assert.equal(attempt, 2)
        assert.deepEqual(await fleet.check(), [])
      })
    } else {
      it('[P2] [P8] the key of a worker that was killed is free when its lease and its seat are over', async () => {
        const first = await fleet.worker('w1', { env, concurrency: 1 })
        const publisher = await fleet.publisher()
        const { id } = await publisher.call({ work: { n: 1, ms: 60_000, thenMs: 50 } })
        await fleet.seen({ id, event: 'tick' })
        await fleet.worker('w2', { env })
        fleet.kill(first.pid)
        await until(() => processState(first.pid) === 'gone')
        await fleet.seen({ id, event: 'end', attempt: 2 })
        assert.deepEqual(await fleet.check(), [])
      })
    }
  })
}
