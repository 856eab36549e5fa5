import assert from 'node:assert/strict'
import pg from 'pg'
import { type PostgresServer, startPostgres } from './postgres-server.js'

describe('a private Postgres for tests', () => {
  let server: PostgresServer
  before(async () => {
    server = await startPostgres({ settings: { max_connections: '17' } })
  })
  after(() => server.remove())

  const ask = async (text: string) => {
    const client = new pg.Client(server.connection)
    await client.connect()
    try {
      return (await client.query(text)).rows[0]
    } finally {
      await client.end()
    }
  }

  it('takes settings and answers on its port and by its URL', async () => {
    assert.deepEqual(await ask('show max_connections'), { max_connections: '17' })
    const client = new pg.Client({ connectionString: server.url })
    await client.connect()
    await client.end()
  })

  it('keeps its data over a restart, and over a kill', async () => {
    await ask('create table kept as select 7 as n')
    await server.restart()
    server.kill()
    await server.restart()
    assert.deepEqual(await ask('select n from kept'), { n: 7 })
  })

  it('is gone after stop', async () => {
    const { pid } = server
    await server.stop()
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
  })
})
