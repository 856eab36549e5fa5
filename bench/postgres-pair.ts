import pg from 'pg'
import { openLockStore } from '../adapters/postgres/index.js'
import type { PostgresServer } from '../test/support/postgres-server.js'
import { comparison, type Line } from './line.js'
import { heldInTurn } from './request.js'
import { compare } from './sample.js'

/** acquire + release beside the least that a lock in a table, or an advisory lock, can do over the same kind of client. */
export async function postgresPair({ connection }: Pick<PostgresServer, 'connection'>): Promise<Line[]> {
  const store = await openLockStore({ app: 'bench-pair', connection, server: 'here', poolSize: 1 })
  const bare = new pg.Client(connection)
  await bare.connect()
  await bare.query('create table bare_lock (key text primary key, owner text)')
  const next = heldInTurn('bench.pair')
  let turn = 0
  const ours = async () => {
    const { request, release } = next()
    await store.acquire(request)
    await store.release(release)
  }
  const row = async () => {
    turn += 1
    const values = [`bare:${turn % 1_000}`, `m${turn}`]
    await bare.query('insert into bare_lock values ($1, $2) on conflict do nothing returning key', values)
    await bare.query('delete from bare_lock where key = $1 and owner = $2', values)
  }
  const advisory = async () => {
    turn += 1
    await bare.query('select pg_try_advisory_lock($1)', [turn % 1_000])
    await bare.query('select pg_advisory_unlock($1)', [turn % 1_000])
  }
  try {
    const rounds = { rounds: 7, turns: 300 }
    const beside = (theirs: typeof ours) => compare({ ours, theirs }, rounds)
    return [
      comparison('acquire + release on Postgres, beside a bare row', await beside(row), ''),
      comparison('acquire + release on Postgres, beside an advisory lock', await beside(advisory), ''),
    ]
  } finally {
    await store.destroy()
    await store.close()
    await bare.query('drop table bare_lock')
    await bare.end()
  }
}
