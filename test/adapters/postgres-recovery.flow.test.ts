import { Client } from 'pg'
import { openLockStore } from '../../adapters/postgres/index.js'
import { lockStoreRecoveryContract } from '../contract/lock-store/recovery.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { steady } from '../support/steady.js'
import { benchOf } from './postgres-bench.js'

describe('Postgres, as a server that has lost commits and says so by its epoch', () => {
  let server: PostgresServer
  let admin: Client
  before(async () => {
    server = await startPostgres()
    admin = new Client(server.connection)
    await admin.connect()
  })
  after(async () => {
    await admin?.end()
    await server?.remove()
  })

  lockStoreRecoveryContract(steady, async () => {
    const bench = await benchOf(server, openLockStore)
    return {
      ...bench,
      async lose() {
        for (const table of ['call', 'outcome', 'event', 'key']) {
          await admin.query(`delete from beatlock.lock_${table} where app = $1`, [bench.app])
        }
        await admin.query("update beatlock.epoch set epoch = 'of another life'")
      },
      async close() {
        await admin.query('update beatlock.epoch set lost_at = null')
        await bench.close()
      },
    }
  })
})
