import assert from 'node:assert/strict'
import { openScheduleStore } from '../../adapters/postgres/index.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { benchOf } from './postgres-bench.js'

describe('the Postgres schedule store', () => {
  let server: PostgresServer
  before(async () => {
    server = await startPostgres()
  })
  after(() => server.remove())

  it('[P23] keeps about the last thousand decisions of an entry', async () => {
    const bench = await benchOf(server, openScheduleStore)
    for (let nominal = 1; nominal <= 1_150; nominal += 1) {
      const messageId = `b-${nominal}`
      await bench.store.decide({ entry: 'e', nominal, decision: 'published', messageId, holder: null, slots: 1 }, 1)
    }
    const kept = await bench.store.history('e', 5_000)
    assert.ok(kept.length >= 1_000 && kept.length <= 1_100, `${kept.length} kept`)
    assert.equal(kept[0]?.nominal, 1_150)
    await bench.close()
  })
})
