import assert from 'node:assert/strict'
import pg from 'pg'
import { type RunningBeat, startBeat } from '../../src/beat/beat.js'
import { App } from '../../src/index.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { until } from '../support/until.js'

describe('results that are over', function () {
  this.timeout(60_000)
  let server: PostgresServer
  let app: App
  let client: pg.Client
  let beat: RunningBeat | undefined
  before(async () => {
    server = await startPostgres()
    client = new pg.Client(server.url)
    await client.connect()
    app = new App('over', { broker: server.url })
    app.task('ping', {}, () => 'pong')
  })
  after(async () => {
    await beat?.stop()
    await app.close()
    await client.end()
    await server.remove()
  })

  it('are removed from Postgres by a beat alone, without an entry of their own; others stay', async () => {
    for (const id of ['over', 'kept']) {
      await app.sendTask('ping', [], { id, countdown: '1h' })
      await app.revoke(id)
    }
    const ids = async () =>
      (await client.query<{ id: string }>('select message_id as id from beatlock.lock_outcome order by 1')).rows.map(
        ({ id }) => id,
      )
    assert.deepEqual(await ids(), ['kept', 'over'])
    await client.query("update beatlock.lock_outcome set keep_until = 1, result_until = 1 where message_id = 'over'")
    const beating = new App('over', { broker: server.url })
    beat = await startBeat({ app: beating, name: 'b1' })
    await until(async () => (await ids()).length === 1, { what: 'the removal' })
    assert.deepEqual(await ids(), ['kept'])
  })
})
