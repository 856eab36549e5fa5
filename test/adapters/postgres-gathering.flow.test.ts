import assert from 'node:assert/strict'
import { Client } from 'pg'
import { openScheduleStore, type PostgresOptions } from '../../adapters/postgres/index.js'
import type { EntryRow, ReserveRequest, ScheduleStore } from '../../src/beat/schedule-store.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { until } from '../support/until.js'
import { benchOf } from './postgres-bench.js'
import { startWire, type Wire } from './postgres-wire.js'

const ENTRIES = 200

describe('a crowd of slots on Postgres', () => {
  let server: PostgresServer
  let wire: Wire
  let bench: Awaited<ReturnType<typeof openBench>>
  before(async () => {
    server = await startPostgres()
    wire = await startWire(server.connection.port)
  })
  beforeEach(async () => {
    bench = await openBench()
  })
  afterEach(() => bench.close())
  after(async () => {
    await wire.close()
    await server.remove()
  })

  const openBench = () => {
    const connection = { ...server.connection, port: wire.port }
    return benchOf(server, (options: PostgresOptions) => openScheduleStore({ ...options, connection }))
  }

  it('is claimed and decided in a few round trips', async () => {
    const rows = await entriesOf(bench.store)
    const before = wire.trips()
    const claims = await Promise.all(rows.map((row) => bench.store.reserve(claimOf(row))))
    await Promise.all(
      claims.map((answer, at) => {
        assert.ok(answer.outcome === 'reserved')
        const { nominal, term } = answer.claim
        const entry = rows[at]?.name ?? ''
        return bench.store.decide({ entry, nominal, term, decision: 'published', holder: null, slots: 1 })
      }),
    )
    assert.ok(wire.trips() - before <= 8, `${wire.trips() - before} trips`)
  })

  it('[P14] one whose entry somebody else has locked waits alone, and gets its own answer', async () => {
    const [row, ...others] = await entriesOf(bench.store)
    assert.ok(row)
    const admin = new Client({ ...server.connection })
    await admin.connect()
    try {
      await admin.query('begin')
      const held = 'select from beatlock.schedule_entry where app = $1 and name = $2 for update'
      await admin.query(held, [bench.app, row.name])
      let answered = false
      const waits = bench.store.reserve(claimOf(row)).finally(() => (answered = true))
      const rest = await Promise.all(others.map((each) => bench.store.reserve(claimOf(each))))
      assert.ok(rest.every(({ outcome }) => outcome === 'reserved'))
      assert.equal(answered, false)
      await admin.query('commit')
      assert.equal((await waits).outcome, 'reserved')
    } finally {
      await admin.end()
    }
  })

  it('[P14] one that the server refuses fails alone', async () => {
    const [row, ...others] = await entriesOf(bench.store)
    assert.ok(row)
    const refused = bench.store.reserve({ ...claimOf(row), nominal: 0.5 })
    const rest = Promise.all(others.map((each) => bench.store.reserve(claimOf(each))))
    await assert.rejects(refused, /invalid input syntax/)
    assert.ok((await rest).every(({ outcome }) => outcome === 'reserved'))
  })

  it('[P14] a claim whose reply was lost is the claim that is answered', async () => {
    const rows = await entriesOf(bench.store)
    const free = wire.holdRepliesAt(wire.trips() + 1)
    const claims = Promise.all(rows.map((row) => bench.store.reserve(claimOf(row))))
    await untilClaimed(server, bench.app)
    free()
    wire.cutClients()
    for (const [at, answer] of (await claims).entries()) {
      assert.ok(answer.outcome === 'reserved')
      assert.deepEqual([answer.claim.term, answer.nominal], [1, (rows[at]?.nominal ?? 0) + 1_000])
    }
  })
})

async function untilClaimed(server: PostgresServer, app: string): Promise<void> {
  const admin = new Client({ ...server.connection })
  await admin.connect()
  try {
    const some = 'select from beatlock.schedule_entry where app = $1 and claim_nominal is not null limit 1'
    await until(async () => (await admin.query(some, [app])).rowCount === 1, { what: 'claims' })
  } finally {
    await admin.end()
  }
}

async function entriesOf(store: ScheduleStore): Promise<readonly EntryRow[]> {
  const puts = Array.from({ length: ENTRIES }, (_, n) => ({ name: `e${n}`, spec: '{}', config: null, maxRuns: null }))
  await store.put(puts, 'add')
  return (await store.changes(0, ENTRIES)).rows
}

function claimOf({ name, revision, nominal }: EntryRow): ReserveRequest {
  const slot = { entry: name, revision, from: nominal, nominal: nominal + 1_000, kind: 'slot' } as const
  return { ...slot, by: 'b1', claimMs: 20_000, dropped: [] }
}
