import { openLockStore, openScheduleStore } from '../../adapters/postgres/index.js'
import { lockStoreContract } from '../contract/lock-store.contract.js'
import { scheduleStoreContract } from '../contract/schedule-store.contract.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { steady } from '../support/steady.js'
import { benchOf } from './postgres-bench.js'

describe('Postgres', () => {
  let server: PostgresServer
  before(async () => {
    server = await startPostgres()
  })
  after(() => server.remove())

  lockStoreContract(steady, () => benchOf(server, openLockStore))
  scheduleStoreContract(steady, () => benchOf(server, openScheduleStore))
})
