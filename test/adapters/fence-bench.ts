import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Client, Pool } from 'pg'
import { openLockStore } from '../../adapters/postgres/index.js'
import { StoreUnavailable } from '../../src/lock/error.js'
import { StaleToken } from '../../src/task-base/error.js'
import type { Fence } from '../../src/task-base/fence.js'
import { KEY, type Scene, sceneOf } from '../contract/lock-store/scene.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { until } from '../support/until.js'
import { benchOf } from './postgres-bench.js'

/** Ends when a test says so. */
export const LONG_MS = 60_000

export interface Gate {
  readonly opened: Promise<void>
  open(): void
}

export function gate(): Gate {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { opened, open: () => open() }
}

/** Locks and a table of the user's on one Postgres. */
export interface FenceBench {
  readonly server: PostgresServer
  readonly admin: Client
  /** Of the user's, two connections at most. */
  readonly pool: Pool
  readonly scene: Scene
  /** What a body is handed whose token this is. */
  lockOf(token: number, over?: Partial<Fence>): Fence
  /** Who has written, in order of commit. */
  written(): Promise<number[]>
  /** Until a statement on this server waits for a row that somebody has locked. */
  somebodyWaits(): Promise<unknown>
}

/** Writes one line, as fenced work does. */
export const line = (token: number): string => `insert into public.written (token) values (${token})`

/** The server is of all tests, scene and pool of each. */
export function fenceBench(): FenceBench {
  const bench = {} as { -readonly [Name in keyof FenceBench]: FenceBench[Name] }
  before(async () => {
    bench.server = await startPostgres()
    bench.admin = new Client(bench.server.connection)
    await bench.admin.connect()
    await bench.admin.query('create table public.written (place bigserial primary key, token bigint not null)')
  })
  after(async () => {
    await bench.admin?.end()
    await bench.server?.remove()
  })
  beforeEach(async () => {
    await bench.admin.query('truncate public.written')
    bench.scene = sceneOf(await benchOf(bench.server, openLockStore))
    bench.pool = new Pool({ ...bench.server.connection, max: 2 })
    bench.pool.on('error', () => undefined)
  })
  afterEach(async () => {
    await bench.pool?.end()
    await bench.scene?.close()
  })
  bench.lockOf = (token, over) => ({ key: KEY, token, space: bench.scene.store.space, ...over })
  bench.written = async () => {
    const { rows } = await bench.admin.query('select token from public.written order by place')
    return rows.map(({ token }) => Number(token))
  }
  bench.somebodyWaits = () =>
    until(
      async () => {
        const sql = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
        return ((await bench.admin.query(sql)).rowCount ?? 0) > 0
      },
      { what: 'somebody to wait for a row' },
    )
  return bench
}

/** Again for as long as the key is busy: how long that is was not asked. */
export async function patiently<T>(step: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await step()
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
    }
  }
}

export const isStale =
  (token: number, highest?: number) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof StaleToken, String(error))
    assert.deepEqual([error.code, error.token, error.highest], ['LOCK_LOST', token, highest])
    return true
  }

/** Two processes race for one list or table, `raced`; answers how many of their writes were refused. */
export async function race(url: string): Promise<number> {
  const racers = [1, 2].map(() => fork(fileURLToPath(new URL('./fence-racer.js', import.meta.url)), [url]))
  let refused = 0
  for (const racer of racers) racer.on('message', (count) => (refused += count as number))
  try {
    // What it said last may be read after its exit, though not after its channel is gone.
    const ends = await Promise.all(racers.map((racer) => Promise.all([once(racer, 'exit'), once(racer, 'disconnect')])))
    assert.deepEqual(
      ends.map(([[code]]) => code),
      [0, 0],
    )
    return refused
  } finally {
    for (const racer of racers) racer.kill('SIGKILL')
  }
}
