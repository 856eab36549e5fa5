import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Client, Pool } from 'pg'
import { fencedTransaction } from '../../adapters/postgres/fencing.js'
import { openLockStore } from '../../adapters/postgres/index.js'
import { UsageError } from '../../src/lock/error.js'
import type { Fence } from '../../src/task-base/fence.js'
import { fenceBench, gate, isStale, LONG_MS, line, race } from './fence-bench.js'
import { freshOptions } from './postgres-bench.js'

describe('a fenced transaction on a Postgres that has not the locks', () => {
  const bench = fenceBench()
  const nobody = (): never => assert.fail('must not run')
  /** Of a lock on Redis, whose keys nobody used before. */
  let key = ''
  const lockOf = (token: number, over: Partial<Fence> = {}): Fence => ({ key, token, space: { app: 'shop' }, ...over })
  const write = (token: number, over?: Partial<Fence>): Promise<unknown> =>
    fencedTransaction(bench.pool, lockOf(token, over), (client) => client.query(line(token)))
  let keys = 0
  beforeEach(() => {
    key = `import:${++keys}`
  })

  it('makes its table once, though eight come first at the same time', async () => {
    const { admin, server } = bench
    await admin.query('drop table if exists public.beatlock_fence')
    const clients = Array.from({ length: 8 }, () => new Client(server.connection))
    await Promise.all(clients.map((client) => client.connect()))
    try {
      await Promise.all(
        clients.map((client, n) =>
          fencedTransaction(client, lockOf(7, { key: `eight:${n}` }), (own) => own.query(line(n))),
        ),
      )
    } finally {
      await Promise.all(clients.map((client) => client.end()))
    }
    assert.deepEqual((await bench.written()).toSorted(), [0, 1, 2, 3, 4, 5, 6, 7])
  })

  it('[P5] refuses a token lower than one that has written, of that key and app alone', async () => {
    await write(20)
    await write(20)
    await assert.rejects(fencedTransaction(bench.pool, lockOf(19), nobody), isStale(19, 20))
    await write(18, { key: `${key}:other` })
    await write(17, { space: { app: 'other' } })
    await write(21)
    assert.deepEqual(await bench.written(), [20, 20, 18, 17, 21])
    assert.equal(bench.pool.idleCount, bench.pool.totalCount)
  })

  it('[P5] a token whose transaction was undone has not written: a lower one may', async () => {
    const failed = fencedTransaction(bench.pool, lockOf(9), async (client) => {
      await client.query(line(9))
      throw new Error('as it must')
    })
    await assert.rejects(failed, /as it must/)
    await write(8)
    assert.deepEqual(await bench.written(), [8])
  })

  for (const { open, next, refused } of [
    { open: 6, next: 5, refused: true },
    { open: 5, next: 6, refused: false },
  ]) {
    it(`[P5] while token ${open} writes, token ${next} waits, and is then ${refused ? 'refused' : 'let through'}`, async () => {
      const [inside, body] = [gate(), gate()]
      const first = fencedTransaction(bench.pool, lockOf(open), async (client) => {
        await client.query(line(open))
        inside.open()
        await body.opened
      })
      await inside.opened
      const second = write(next).then(
        () => 'written',
        (error) => isStale(next, open)(error) && 'refused',
      )
      await bench.somebodyWaits()
      body.open()
      await first
      assert.equal(await second, refused ? 'refused' : 'written')
      assert.deepEqual(await bench.written(), refused ? [open] : [open, next])
    })
  }

  it('[P5] no lower token commits after a higher one, in any order of any number of them', async () => {
    const pool = new Pool({ ...bench.server.connection, max: 8 })
    const step = fc.record({ token: fc.integer({ min: 1, max: 6 }), pauses: fc.nat(3), fails: fc.boolean() })
    let run = 0
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 8 }), async (steps) => {
          run += 1
          const own = { key: `property:${keys}:${run}` }
          await bench.admin.query('truncate public.written')
          const committed: number[] = []
          const one = async ({ token, pauses, fails }: (typeof steps)[number]): Promise<void> => {
            try {
              await fencedTransaction(pool, lockOf(token, own), async (client) => {
                for (let n = 0; n < pauses; n += 1) await client.query('select 1')
                await client.query(line(token))
                if (fails) throw new RangeError('as it must')
              })
              committed.push(token)
            } catch (error) {
              if (!(error instanceof RangeError))
                assert.ok(isStale(token, (error as { highest: number }).highest)(error))
            }
          }
          await Promise.all(steps.map(one))
          const written = await bench.written()
          assert.deepEqual(
            written,
            written.toSorted((a, b) => a - b),
          )
          assert.deepEqual(written.toSorted(), committed.toSorted())
          // Of those that did not fail, the highest is never refused.
          const sound = steps.filter(({ fails }) => !fails).map(({ token }) => token)
          if (sound.length > 0) assert.ok(written.includes(Math.max(...sound)))
        }),
        { numRuns: 60 },
      )
    } finally {
      await pool.end()
    }
  })

  it('[P5] two processes race for one table, and for making the fence: its tokens never go down', async () => {
    await bench.admin.query(`drop table if exists public.beatlock_fence; create sequence tokens;
      create table raced (place bigserial, token bigint)`)
    assert.ok((await race(bench.server.url)) > 0, 'and some came too late')
    const { rows } = await bench.admin.query('select token from raced order by place')
    const written = rows.map(({ token }) => Number(token))
    assert.ok(written.length > 100)
    assert.deepEqual(
      written,
      written.toSorted((a, b) => a - b),
    )
  })

  it('bounds the transaction by what the holder may still trust, and begins none when that is over', async () => {
    const shown =
      "select current_setting('statement_timeout') as ms, current_setting('idle_in_transaction_session_timeout') as idle"
    const lock = lockOf(5, { remainingMs: () => 4_321.9 })
    const { rows } = await fencedTransaction(bench.pool, lock, (client) => client.query(shown))
    assert.deepEqual(rows, [{ ms: '4321ms', idle: '4321ms' }])
    await assert.rejects(fencedTransaction(bench.pool, lockOf(6, { remainingMs: () => 0 }), nobody), isStale(6))
    assert.deepEqual((await bench.pool.query(shown)).rows, [{ ms: '0', idle: '0' }])
  })

  it('is told by the id of the schema: another Postgres may have locks of its own', async () => {
    const { admin, scene, server } = bench
    const token = await scene.running('a', { leaseMs: LONG_MS })
    await scene.release('a', token)
    const { space } = scene.store
    assert.ok(space.postgres)
    await assert.rejects(fencedTransaction(bench.pool, lockOf(token, { space }), nobody), isStale(token))
    await admin.query('create database elsewhere')
    const connection = { ...server.connection, database: 'elsewhere' }
    const store = await openLockStore(freshOptions({ connection }))
    const pool = new Pool({ ...connection, max: 1 })
    try {
      assert.notEqual(store.space.postgres?.id, space.postgres.id)
      await pool.query('create table public.written (place bigserial, token bigint)')
      const there = (each: number) =>
        fencedTransaction(pool, lockOf(each, { space }), (client) => client.query(line(each)))
      await there(token)
      await assert.rejects(there(token - 1), isStale(token - 1, token))
    } finally {
      await pool.end()
      await store.close()
      await admin.query('drop database elsewhere')
    }
  })

  it('keeps its table in another schema if told so, and says what to make where it may not', async () => {
    const { admin, server } = bench
    await admin.query(`create schema shop; drop role if exists clerk; create role clerk login password 'pw';
      grant usage on schema shop to clerk; grant insert on public.written to clerk;
      grant usage on sequence public.written_place_seq to clerk`)
    const pool = new Pool({ ...server.connection, user: 'clerk', password: 'pw', max: 1 })
    const inShop = (token: number) =>
      fencedTransaction(pool, lockOf(token), (client) => client.query(line(token)), { schema: 'shop' })
    try {
      let ddl = ''
      await assert.rejects(inShop(4), (error: Error) => {
        ddl = error.message.slice(error.message.indexOf('create table'))
        return error instanceof UsageError && /"shop".beatlock_fence is missing/.test(error.message)
      })
      await admin.query(`${ddl.replace(/[^)]*$/, '')}; grant select, insert, update on shop.beatlock_fence to clerk`)
      await inShop(4)
      await assert.rejects(inShop(3), isStale(3, 4))
      assert.deepEqual(await bench.written(), [4])
      const missing = fencedTransaction(bench.pool, lockOf(5), nobody, { schema: 'nowhere' })
      await assert.rejects(missing, /"nowhere".beatlock_fence is missing/)
    } finally {
      await pool.end()
    }
  })
})
