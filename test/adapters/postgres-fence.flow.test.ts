import assert from 'node:assert/strict'
import { Pool } from 'pg'
import { fencedTransaction } from '../../adapters/postgres/fencing.js'
import { UsageError } from '../../src/lock/error.js'
import { lockKey } from '../../src/lock/key.js'
import { KEY, renewal, TASK, termsOf } from '../contract/lock-store/scene.js'
import { until } from '../support/until.js'
import { fenceBench, gate, isStale, LONG_MS, line, patiently } from './fence-bench.js'

const long = { leaseMs: LONG_MS }

describe('a fenced transaction on the Postgres that has the locks', () => {
  const bench = fenceBench()
  const nobody = (): never => assert.fail('must not run')

  it('[P5] commits what a run writes whose token is current, and answers what its function returned', async () => {
    const { scene, pool, lockOf } = bench
    const token = await scene.running('a', long)
    const answer = await fencedTransaction(pool, lockOf(token), async (client) => {
      await client.query(line(token))
      return 'written'
    })
    assert.equal(answer, 'written')
    assert.deepEqual(await bench.written(), [token])
    assert.equal((await bench.admin.query("select to_regclass('public.beatlock_fence') as t")).rows[0].t, null)
  })

  for (const { how, lose } of [
    { how: 'was released', lose: (token: number) => bench.scene.release('a', token) },
    { how: 'went back to the queue', lose: (token: number) => bench.scene.requeue('a', token) },
    {
      how: 'was taken by the next start of its own message',
      lose: async (token: number) => {
        await bench.scene.requeue('a', token)
        await bench.scene.running('a', { ...long, owner: 'next' })
      },
    },
    { how: 'was cleared with --force --now', lose: () => bench.scene.clear({ running: 'drop' }) },
    {
      how: 'ran out, though nobody has taken it yet',
      lose: () => bench.admin.query('update beatlock.lock_call set expires_at = 1 where app = $1', [bench.scene.app]),
    },
    { how: 'was never given', lose: async () => bench.scene.release('a', 1) },
  ]) {
    it(`[P5] runs nothing under a token that ${how}`, async () => {
      const { scene, pool, lockOf } = bench
      const token = await scene.running('a', long)
      await lose(token)
      const asked = how === 'was never given' ? token + 1 : token
      await assert.rejects(fencedTransaction(pool, lockOf(asked), nobody), isStale(asked))
      assert.deepEqual([await bench.written(), pool.idleCount, pool.totalCount], [[], 1, 1])
    })
  }

  it('[P5] a new grant of its place waits for the open transaction, and the grants of other places do not', async () => {
    const { scene, pool, lockOf } = bench
    const two = { ...long, terms: termsOf({ limit: 2 }) }
    const token = await scene.running('a', two)
    const [inside, body] = [gate(), gate()]
    const transaction = fencedTransaction(pool, lockOf(token), async (client) => {
      await client.query(line(token))
      inside.open()
      await body.opened
    })
    await inside.opened
    const other = await scene.running('b', { ...two, slot: 1 })
    await fencedTransaction(pool, lockOf(other), (client) => client.query(line(other)))
    await scene.requeue('a', token)
    let granted: number | undefined
    const next = patiently(() => scene.running('a', { ...two, owner: 'next' })).then(async (again) => {
      granted = again
      await bench.admin.query(line(again))
    })
    await bench.somebodyWaits()
    assert.equal(granted, undefined)
    body.open()
    await Promise.all([transaction, next])
    assert.ok((granted ?? 0) > other)
    // The line of the first is older than the grant, though it was committed after that of the second place.
    assert.deepEqual(await bench.written(), [token, other, granted])
    await assert.rejects(fencedTransaction(pool, lockOf(token), nobody), isStale(token))
  })

  it('[P5] [P9] renewals of a whole batch, cancels and sweeps pass the open transaction', async () => {
    const { scene, pool, lockOf } = bench
    const keys = Array.from({ length: 50 }, (_, n) => lockKey(TASK, `[${n + 100}]`))
    const token = await scene.running('a', long)
    const tokens = await Promise.all(keys.map((key) => scene.running('k', { ...long, key })))
    const leases = [renewal('a', token), ...keys.map((key, n) => ({ ...renewal('k', tokens[n] ?? 0), key }))]
    const result = await fencedTransaction(pool, lockOf(token), async (client) => {
      await client.query(line(token))
      const renewed = await scene.store.renew({ worker: null, leases, acked: [] })
      await scene.sweep()
      const cleared = await scene.clear({ running: 'cancel' })
      return { renewed, cancelled: cleared.cancelled.length }
    })
    assert.deepEqual(
      result.renewed.leases.map(({ outcome }) => outcome),
      leases.map(() => 'renewed'),
    )
    assert.equal(result.cancelled, 1)
    assert.deepEqual(await bench.written(), [token], 'a cancelled holder keeps its key until it has ended')
  })

  it('[P5] a release, and a clear with --force --now, wait until what the run wrote is committed', async () => {
    const { scene, pool, lockOf } = bench
    const ends: ((token: number) => Promise<unknown>)[] = [
      () => scene.clear({ running: 'drop' }),
      (token) => scene.release('a', token),
    ]
    for (const end of ends) {
      const token = await scene.running('a', { ...long, owner: String(end) })
      const [inside, body] = [gate(), gate()]
      const transaction = fencedTransaction(pool, lockOf(token), async (client) => {
        inside.open()
        await body.opened
        await client.query(line(token))
      })
      await inside.opened
      let over = false
      const ended = patiently(() => end(token)).then(async () => {
        over = true
        assert.equal((await bench.written()).at(-1), token)
      })
      await bench.somebodyWaits()
      assert.equal(over, false)
      body.open()
      await Promise.all([transaction, ended])
    }
  })

  it('[P5] nothing that a run writes comes after the grant of the next, however they interleave', async () => {
    const { scene, pool, lockOf } = bench
    let ended = false
    const tokens: number[] = []
    const writer = async (): Promise<number> => {
      let written = 0
      while (!ended) {
        const token = tokens.at(-1) as number
        const write = fencedTransaction(pool, lockOf(token), async (client) => {
          await client.query(line(token))
          if (token % 2 === 0) await client.query('select 1')
        })
        const stale = await write.then(
          () => false,
          (error) => isStale(token)(error),
        )
        if (!stale) written += 1
      }
      return written
    }
    tokens.push(await scene.running('a', { ...long, maxDeliveries: 1_000 }))
    const writers = [writer(), writer()]
    for (let n = 0; n < 60; n += 1) {
      await patiently(() => scene.requeue('a', tokens.at(-1) as number, { maxDeliveries: 1_000 }))
      const step = { ...long, owner: `o${n}`, maxDeliveries: 1_000 }
      const token = await patiently(() => scene.running('a', step))
      // A line of its own marks the grant.
      await bench.admin.query(line(token))
      tokens.push(token)
      const lines = n + 1 + tokens.length
      await until(async () => (await bench.written()).length >= lines, { what: 'somebody to write', everyMs: 1 })
    }
    ended = true
    const committed = (await Promise.all(writers)).reduce((sum, each) => sum + each)
    const written = await bench.written()
    assert.ok(committed > 60)
    assert.deepEqual(
      written,
      written.toSorted((a, b) => a - b),
    )
  })

  it('asks as a role that may use the schema and nothing else; one that may not is told what to grant', async () => {
    const { admin, scene, lockOf, server } = bench
    await admin.query(`drop role if exists writer; create role writer login password 'pw';
      grant insert on public.written to writer; grant usage on sequence public.written_place_seq to writer`)
    const token = await scene.running('a', long)
    const pool = new Pool({ ...server.connection, user: 'writer', password: 'pw', max: 1 })
    try {
      const write = () => fencedTransaction(pool, lockOf(token), (client) => client.query(line(token)))
      await assert.rejects(write(), (error: Error) => {
        return error instanceof UsageError && /GRANT USAGE ON SCHEMA "beatlock"/.test(error.message)
      })
      await admin.query('grant usage on schema beatlock to writer')
      await write()
      assert.deepEqual(await bench.written(), [token])
    } finally {
      await pool.end()
      await admin.query('revoke all on schema beatlock from writer')
    }
  })

  it('a token of another key, app or schema is not current', async () => {
    const { scene, pool, lockOf } = bench
    const token = await scene.running('a', long)
    const space = { ...scene.store.space, app: 'another' }
    await assert.rejects(fencedTransaction(pool, lockOf(token, { space }), nobody), isStale(token))
    await assert.rejects(fencedTransaction(pool, lockOf(token, { key: `${KEY}1` }), nobody), isStale(token))
  })
})
