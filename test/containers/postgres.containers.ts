import { openEngine } from '../../adapters/bullmq/index.js'
import { openLockStore, openScheduleStore } from '../../adapters/postgres/index.js'
import { benchOf } from '../adapters/postgres-bench.js'
import { engineContract, lockStoreContract, scheduleStoreContract } from '../contract/index.js'
import { steady } from '../support/steady.js'
import { containedPostgres } from './container.js'
import { engineBenchOf } from './engine-bench.js'

describe('Postgres in a container', function () {
  this.timeout(120_000)
  let server: Awaited<ReturnType<typeof containedPostgres>>

  before(async () => {
    server = await containedPostgres()
  })
  after(() => server?.remove())

  lockStoreContract(steady, () => benchOf(server.place, openLockStore))
  scheduleStoreContract(steady, () => benchOf(server.place, openScheduleStore))
  engineContract(steady, () =>
    engineBenchOf(() => openEngine({ app: 'suite', server: 'postgres', postgres: server.place })),
  )
})
