import assert from 'node:assert/strict'
import { Client, Pool } from 'pg'
import { fencedTransaction } from '../../adapters/postgres/fencing.js'
import { UsageError } from '../../src/lock/error.js'
import { CommitUnknown, LockLost, StaleToken } from '../../src/task-base/error.js'
import { startTcpProxy } from '../support/tcp-proxy.js'
import { until } from '../support/until.js'
import { fenceBench, gate, LONG_MS, line, patiently } from './fence-bench.js'

const long = { leaseMs: LONG_MS }
/** Ends by itself, though not before a machine that stands still for a moment has gone on. */
const SHORT_MS = 3_000
const SETTINGS = `select current_setting('statement_timeout') as statement,
  current_setting('idle_in_transaction_session_timeout') as idle`

describe('the bounds of a fenced transaction, and what becomes of its connection', () => {
  const bench = fenceBench()
  const isUsage = (message: RegExp) => (error: unknown) => error instanceof UsageError && message.test(error.message)

  it('[P5] one that stands still is ended with the lease that it began with, and then the next has its turn', async () => {
    const { scene, pool, lockOf } = bench
    const token = await scene.running('a', { leaseMs: SHORT_MS })
    const body = gate()
    const transaction = fencedTransaction(pool, lockOf(token), async (client) => {
      await client.query(line(token))
      await body.opened
    })
    const over = assert.rejects(transaction, (error: unknown) => {
      return error instanceof LockLost && !(error instanceof StaleToken) && /idle/.test(error.message)
    })
    await until(async () => (await patiently(() => scene.sweep())).doubts.length > 0, { what: 'the lease to be over' })
    await patiently(() => scene.clear({ running: 'drop' }))
    const next = await patiently(() => scene.running('b', long))
    assert.ok(next > token)
    assert.deepEqual(await bench.written(), [])
    body.open()
    await over
    assert.deepEqual([await bench.written(), pool.totalCount], [[], 0], 'its connection is gone')
  })

  it('[P5] a statement that takes longer than the lease has left is ended; the connection is clean', async () => {
    const { scene, pool, lockOf } = bench
    const token = await scene.running('a', { leaseMs: SHORT_MS })
    const before = (await pool.query(SETTINGS)).rows
    const transaction = fencedTransaction(pool, lockOf(token), async (client) => {
      const { statement, idle } = (await client.query(SETTINGS)).rows[0]
      assert.match(`${statement} ${idle}`, /^(\d{1,4}ms|[123]s) (\d{1,4}ms|[123]s)$/)
      await client.query(line(token))
      await client.query('select pg_sleep(60)')
    })
    await assert.rejects(transaction, { code: '57014' })
    assert.deepEqual([await bench.written(), pool.totalCount, pool.idleCount], [[], 1, 1])
    assert.deepEqual((await pool.query(SETTINGS)).rows, before)
  })

  it('leaves a shorter bound of the session as it is', async () => {
    const { scene, server, lockOf } = bench
    const token = await scene.running('a', long)
    const pool = new Pool({ ...server.connection, max: 1, statement_timeout: 4_321 })
    try {
      const { rows } = await fencedTransaction(pool, lockOf(token), (client) => client.query(SETTINGS))
      assert.equal(rows[0].statement, '4321ms')
      assert.notEqual(rows[0].idle, '0')
    } finally {
      await pool.end()
    }
  })

  it('undoes what was written when its function throws, or when its signal was aborted meanwhile', async () => {
    const { scene, pool, lockOf } = bench
    const token = await scene.running('a', long)
    const wrong = fencedTransaction(pool, lockOf(token), async (client) => {
      await client.query(line(token))
      throw new RangeError('as it must')
    })
    await assert.rejects(wrong, { name: 'RangeError' })
    for (const given of ['with the lock', 'as an option']) {
      const stop = new AbortController()
      const lock = lockOf(token, given === 'with the lock' ? { signal: stop.signal } : {})
      const work = async (client: { query(text: string): Promise<unknown> }): Promise<void> => {
        await client.query(line(token))
        stop.abort(new LockLost('cancelled'))
      }
      const stopped = fencedTransaction(pool, lock, work, given === 'as an option' ? { signal: stop.signal } : {})
      await assert.rejects(stopped, (error: unknown) => error === stop.signal.reason)
      await assert.rejects(fencedTransaction(pool, lock, work, { signal: stop.signal }), /cancelled/)
    }
    assert.deepEqual([await bench.written(), pool.totalCount, pool.idleCount], [[], 1, 1])
  })

  it('commits nothing where a statement had failed, though its function did not mind', async () => {
    const { scene, pool, lockOf } = bench
    const token = await scene.running('a', long)
    const failed = fencedTransaction(pool, lockOf(token), async (client) => {
      await client.query(line(token))
      await client.query('select 1 / 0').catch(() => undefined)
    })
    await assert.rejects(failed, { code: '25P02' })
    assert.deepEqual([await bench.written(), pool.idleCount], [[], 1])
  })

  it('[P5] what a function writes after it ended the transaction itself is not committed', async () => {
    const { scene, pool, lockOf } = bench
    const token = await scene.running('a', long)
    for (const ending of ['rollback; begin', 'rollback']) {
      const ended = fencedTransaction(pool, lockOf(token), async (client) => {
        await client.query(ending)
        if (ending !== 'rollback') await client.query(line(token))
      })
      await assert.rejects(ended, isUsage(/ended the transaction itself/))
    }
    assert.deepEqual([await bench.written(), pool.idleCount], [[], 1])
  })

  it('a COMMIT whose answer is lost is told as unknown, one that could not be sent as not done', async () => {
    const { scene, server, lockOf } = bench
    const token = await scene.running('a', long)
    const proxy = await startTcpProxy(server.connection.port)
    const pool = new Pool({ ...server.connection, port: proxy.port, max: 1 })
    pool.on('error', () => undefined)
    try {
      const unknown = fencedTransaction(pool, lockOf(token), async (client) => {
        await client.query(line(token))
        proxy.loseNextReply()
      })
      await assert.rejects(unknown, (error: unknown) => {
        return error instanceof CommitUnknown && error.code === 'COMMIT_UNKNOWN' && error.data['token'] === token
      })
      await until(async () => (await bench.written()).length === 1, { what: 'what was committed all the same' })
      assert.equal(pool.totalCount, 0)
      const cut = fencedTransaction(pool, lockOf(token), async (client) => {
        await client.query(line(token))
        const broken = new Promise((resolve) => client.on('error', resolve))
        proxy.cut()
        await broken
      })
      await assert.rejects(cut, (error: unknown) => !(error instanceof CommitUnknown) && /terminated/.test(`${error}`))
      assert.deepEqual([(await bench.written()).length, pool.totalCount], [1, 0])
    } finally {
      await pool.end()
      await proxy.stop()
    }
  })

  it('takes a client of one’s own as well, and refuses one that is in a transaction', async () => {
    const { scene, server, lockOf } = bench
    const token = await scene.running('a', long)
    const client = new Client(server.connection)
    await client.connect()
    try {
      await fencedTransaction(client, lockOf(token), (own) => own.query(line(token)), { isolation: 'serializable' })
      await client.query(`begin; ${line(1)}`)
      await assert.rejects(
        fencedTransaction(client, lockOf(token), () => 1),
        isUsage(/in a transaction already/),
      )
      await client.query('commit')
      const isolated = fencedTransaction(client, lockOf(token), (own) => own.query('show transaction_isolation'), {
        isolation: 'repeatable read',
      })
      assert.equal((await isolated).rows[0].transaction_isolation, 'repeatable read')
      assert.equal(client.listenerCount('error'), 0)
    } finally {
      await client.end()
    }
    assert.deepEqual(await bench.written(), [token, 1], 'what its owner had begun was left alone')
  })

  it('refuses what is no lock, no pool, no function or no option, with what to write instead', async () => {
    const { scene, pool, lockOf } = bench
    const token = await scene.running('a', long)
    const lock = lockOf(token)
    const refused = async (message: RegExp, ...args: readonly unknown[]): Promise<void> => {
      const call = fencedTransaction as (...args: readonly unknown[]) => Promise<unknown>
      await assert.rejects(call(...args), isUsage(message))
    }
    const work = (): never => assert.fail('must not run')
    await refused(/no lock: this task runs without one. Extend QueueOnce/, pool, undefined, work)
    await refused(
      /token to be a positive whole number, got "7"; pass this.request.lock/,
      pool,
      { ...lock, token: '7' },
      work,
    )
    await refused(/key to be a text, got undefined/, pool, { token: 7 }, work)
    await refused(/space/, pool, { key: 'k', token: 7 }, work)
    await refused(/Pool or a connected Client/, 'postgres://', lock, work)
    await refused(/Pool or a connected Client/, {}, lock, work)
    await refused(/a function/, pool, lock, 'insert')
    await refused(/no option 'isolaton'; did you mean "isolation"/, pool, lock, work, { isolaton: 'serializable' })
    await refused(/isolation must be .* got "snapshot"/, pool, lock, work, { isolation: 'snapshot' })
    await refused(/plain name.*'a b'/, pool, lock, work, { schema: 'a b' })
    assert.equal(pool.totalCount, 0)
  })
})
