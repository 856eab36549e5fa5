import assert from 'node:assert/strict'
import { startFleet } from '../support/fleet.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { follow, promote } from '../support/replica.js'

/** F5: a primary is cut off, goes on serving who reaches it, and its replica takes its place. */
describe('an old primary of Redis', function () {
  this.timeout(120_000)
  let old: RedisServer
  let replica: RedisServer
  before(async () => {
    old = await startRedis()
    replica = await startRedis()
    await follow(replica, old)
  })
  after(() => Promise.all([old.stop(), replica.stop()]))

  it('[P1] [P2] [P3] (F5) that is cut off from its replica runs nothing beside the new one, where leases wait for replicas', async () => {
    const fleet = startFleet({ url: replica.url })
    try {
      const stays = { broker: old.url, env: { FAULT_WAIT: '1' } }
      const worker = await fleet.worker('w1', stays)
      const publisher = await fleet.publisher({ broker: old.url })
      const { id } = await publisher.call({ work: { n: 1, ms: 60_000, thenMs: 50, how: 'deaf' } })
      const { token } = await fleet.seen({ id, event: 'tick' })
      await promote(replica)
      // The other side knows of the run by the last renewal that came over.
      await fleet.worker('w2')
      const { ns, token: higher } = await fleet.seen({ id, event: 'start', attempt: 2 })
      const first = fleet.lines(id).filter((line) => line.attempt === 1)
      assert.ok(
        first.every((line) => line.ns < ns),
        'the body on the old side ended before',
      )
      assert.ok(higher > token)
      await fleet.seen({ id, event: 'end', attempt: 2 })
      await worker.kill()
      assert.deepEqual(await fleet.check(), [])
    } finally {
      await fleet.end()
    }
  })
})
