import assert from 'node:assert/strict'
import { Client } from 'pg'
import { startFleet } from '../support/fleet.js'
import { type PostgresPair, startPostgresPair } from '../support/postgres-pair.js'
import { until } from '../support/until.js'

describe('a Postgres standby without the last commits takes over', function () {
  this.timeout(180_000)
  let pair: PostgresPair
  before(async () => {
    pair = await startPostgresPair()
  })
  after(() => pair?.remove())

  it('[P2] [P8] a run whose grant is lost has its lock again and ends under it; nobody else starts beside it', async () => {
    const fleet = startFleet({ url: pair.url, lease: '15s' })
    try {
      const worker = await fleet.worker('w1')
      const publisher = await fleet.publisher()
      const earlier = await publisher.call({ work: { n: 1, ms: 0 } })
      await fleet.seen({ id: earlier.id, event: 'end' })
      await pair.caughtUp()
      await pair.cutStream()
      const { id } = await publisher.call({ work: { n: 1, ms: 0, toldFrom: 1 } })
      const { token } = await fleet.seen({ id, event: 'tick' })
      fleet.lostData()
      pair.primary.kill()
      await pair.failOver()

      const { store } = await fleet.app.connection()
      const stage = async () => (await store.find(id, null)).hold?.stage
      await until(async () => (await stage()) === 'running', { timeoutMs: 30_000, what: 'its holder to tell of it' })
      assert.equal((await publisher.call({ work: { n: 1, ms: 0 } })).outcome, 'rejected')
      const next = await publisher.call({ work: { n: 1, ms: 0 }, overlap: 'defer' })
      assert.equal(next.outcome, 'parked')
      fleet.finish(id)
      await fleet.seen({ id, event: 'end' })
      await endGrace(pair)
      const after = await fleet.seen({ id: next.id, event: 'end' })
      assert.ok((after.token ?? 0) > (token ?? 0), '[P3]')
      assert.ok(worker.events.some(({ name }) => name === 'lock:recovering'))
      assert.deepEqual(await fleet.check(), [])
    } finally {
      await fleet.end()
    }
  })
})

/** As if it had passed. */
async function endGrace({ standby }: PostgresPair): Promise<void> {
  const admin = new Client(standby.connection)
  await admin.connect()
  await admin.query('update beatlock.epoch set lost_at = lost_at - 60000')
  await admin.end()
}
