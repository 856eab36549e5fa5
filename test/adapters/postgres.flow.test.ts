import { openLockStore, openScheduleStore } from '../../adapters/postgres/index.js'
import { lockStoreContract } from '../contract/lock-store.contract.js'
import { scheduleStoreContract } from '../contract/schedule-store.contract.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { benchOf } from './postgres-bench.js'

describe('Postgres', () => {
  let server: PostgresServer
  before(async () => {
    server = await startPostgres()
  })
  after(() => server.remove())

  lockStoreContract({ describe, it }, () => benchOf(server, openLockStore))
  scheduleStoreContract({ describe, it }, () => benchOf(server, openScheduleStore))
})
