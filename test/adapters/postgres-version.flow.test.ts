import assert from 'node:assert/strict'
import { Client } from 'pg'
import { OURS, type Release, VERSION } from '../../adapters/postgres/definition.js'
import { openBarrier, openLockStore, openScheduleStore } from '../../adapters/postgres/index.js'
import { ensureSchema } from '../../adapters/postgres/schema.js'
import { hasCode, UsageError } from '../../src/lock/error.js'
import { lockKey } from '../../src/lock/key.js'
import { runCommand } from '../cli/command.js'
import { sceneOf, TASK } from '../contract/lock-store/scene.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { until } from '../support/until.js'
import { appName, benchOf, freshOptions } from './postgres-bench.js'

/** A later version that serves ours: a column more, other text in each function, a verb under a new name. */
const NEXT: Release = {
  by: '9.0.0',
  tables: [...OURS.tables, (s) => `alter table ${s}.lock_call add column novelty text not null default 'none'`],
  functions: [...OURS.functions.map(retold), acquireV2],
  servesFrom: VERSION,
}

/** One more: it cannot replace a function whose argument has another name now. */
const AFTER: Release = {
  by: '9.1.0',
  tables: [...NEXT.tables, () => ''],
  functions: NEXT.functions.map(
    (make) => (s) => make(s).replace(/channel_v1\(p_app text\)(.*?)p_app/s, 'channel_v1(p_name text)$1p_name'),
  ),
  servesFrom: VERSION,
}

/** A later version that ours must not work beside. */
const FAR: Release = { ...AFTER, by: '10.0.0', tables: [...AFTER.tables, () => ''], servesFrom: VERSION + 3 }

function retold(make: (s: string) => string): (s: string) => string {
  return (s) => make(s).replaceAll('\nbegin\n', '\nbegin\n  -- As a later version has it.\n')
}

function acquireV2(s: string): string {
  return `create function ${s}.acquire_v2(p_app text, p_key text, r jsonb, p_message text) returns json
    language plpgsql as $$
    declare
      answer json := ${s}.acquire_v1(p_app, p_key, r, p_message);
    begin
      update ${s}.lock_call set novelty = 'kept' where app = p_app and key = p_key and message_id = r->>'messageId';
      return answer;
    end $$;`
}

describe('two versions of beatlock on one Postgres schema', function () {
  this.timeout(120_000)
  let server: PostgresServer
  let admin: Client
  before(async () => {
    server = await startPostgres()
    admin = new Client(server.connection)
    await admin.connect()
  })
  beforeEach(() => admin.query('drop schema if exists beatlock cascade'))
  after(async () => {
    await admin?.end()
    await server?.remove()
  })

  const setUp = async (release: Release, by: Client = admin): Promise<unknown> =>
    ensureSchema(by, '"beatlock"', 'the server', release)
  const noted = async () => (await admin.query('select version, by from beatlock.schema_version')).rows[0]

  /** Calls of ours until told to end; answers how many ran, and what failed but by a server that was busy. */
  function traffic(app: string) {
    let ended = false
    let runs = 0
    const failures: unknown[] = []
    const lane = async (n: number): Promise<void> => {
      const store = await openLockStore(freshOptions(server, { app, poolSize: 2 }))
      const scene = sceneOf({
        app,
        store,
        advanceTime: async () => {},
        another: async () => store,
        close: async () => {},
      })
      const key = lockKey(TASK, `[${n}]`)
      for (let i = 0; !ended; i += 1) {
        const id = `m${n}-${i}`
        try {
          await scene.acquire(id, { key })
          const token = await scene.running(id, { key, leaseMs: 30_000 })
          assert.equal((await scene.renew(id, token, { key, leaseMs: 30_000 })).outcome, 'renewed')
          assert.equal((await scene.release(id, token, { key })).outcome, 'released')
          runs += 1
        } catch (error) {
          if (!hasCode(error, 'STORE_UNAVAILABLE')) failures.push(error)
          await store
            .clear({ key, parked: true, running: 'drop', by: 'test', publishLeaseMs: 1, resultMs: 1 })
            .catch(() => {})
        }
      }
      await store.close()
    }
    const lanes = [1, 2, 3].map(lane)
    return {
      runs: () => runs,
      end: async () => {
        ended = true
        await Promise.all(lanes)
        return failures
      },
    }
  }

  it('[P22] the older one goes on while the newer sets up, four times at once, and after it', async () => {
    const older = traffic(appName())
    await until(() => older.runs() > 5, { what: 'the older one to run' })
    for (const release of [NEXT, AFTER]) {
      const clients = await Promise.all([1, 2, 3, 4].map(() => new Client(server.connection)))
      await Promise.all(clients.map((client) => client.connect()))
      await Promise.all(clients.map((client) => setUp(release, client)))
      await Promise.all(clients.map((client) => client.end()))
      const seen = older.runs()
      await until(() => older.runs() > seen + 5, { what: `the older one to run beside ${release.by}` })
    }
    assert.deepEqual(await older.end(), [])
    assert.deepEqual(await noted(), { version: VERSION + 2, by: '9.1.0' })
    const names = await admin.query("select proname from pg_proc where pronamespace = 'beatlock'::regnamespace")
    const kept = names.rows.map((each) => (each as { proname: string }).proname)
    assert.equal(new Set(kept).size, kept.length, 'no function is there twice')
  })

  it('an older one that starts anew uses what is there, and changes nothing of it', async () => {
    await setUp(NEXT)
    const before = await texts()
    const options = freshOptions(server)
    const opened = await Promise.all([openLockStore(options), openScheduleStore(options), openBarrier(options)])
    await Promise.all(opened.map((each) => each.close()))
    assert.deepEqual(await texts(), before)
    assert.deepEqual(await noted(), { version: VERSION + 1, by: '9.0.0' })
  })

  it('what a newer one wrote of a hold is kept by the steps of an older one', async () => {
    await setUp(NEXT)
    const bench = await benchOf(server, openLockStore)
    const scene = sceneOf(bench)
    await scene.acquire('first')
    const newer = { messageId: 'second', round: 1, publishLeaseMs: 60_000, resultMs: 1 }
    const terms = {
      task: TASK,
      label: TASK,
      queue: 'q',
      limit: 1,
      mode: 'untilExecuted',
      timeoutMs: 60_000,
      guarded: true,
    }
    const asked = { ...newer, terms, whenHeld: { do: 'park', capacity: 1, keep: 'first' } }
    const { rows } = await admin.query('select beatlock.acquire_v2($1, $2, $3, $4) as answer', [
      ...[bench.app, lockKey(TASK, '[1]'), JSON.stringify(asked), '{}'],
    ])
    assert.equal((rows[0] as { answer: { outcome: string } }).answer.outcome, 'parked')
    const token = await scene.running('first')
    const released = await scene.release('first', token)
    assert.equal(released.outcome === 'released' && released.promotion?.messageId, 'second')
    await scene.running('second')
    const left = await admin.query('select message_id, stage, novelty from beatlock.lock_call where app = $1', [
      bench.app,
    ])
    assert.deepEqual(left.rows, [{ message_id: 'second', stage: 'running', novelty: 'kept' }])
    await bench.close()
  })

  it('an older one that must not work beside it is refused, with both versions and what to do, and changes nothing', async () => {
    await setUp(FAR)
    const before = await texts()
    const sentence = new RegExp(
      `"beatlock" of .* was set up by beatlock 10\\.0\\.0 as version ${VERSION + 3}, for version ${VERSION + 3} and later; ` +
        `this is beatlock ${OURS.by}, which knows version ${VERSION}: upgrade beatlock here, or name another schema`,
    )
    const options = freshOptions(server)
    for (const open of [openLockStore, openScheduleStore, openBarrier]) {
      const opening = open(options) as Promise<unknown>
      await assert.rejects(opening, (error: unknown) => error instanceof UsageError && sentence.test(error.message))
    }
    for (const command of [
      ['worker', '-A', FLOW_APP],
      ['beat', '-A', FLOW_APP],
      ['locks', 'list', '--app', 'any'],
    ]) {
      const { code, stderr } = await runCommand([...command, '--broker', server.url])
      assert.equal(code, 2, stderr)
      assert.match(stderr, sentence)
    }
    assert.deepEqual(await texts(), before)
    assert.deepEqual(await noted(), { version: VERSION + 3, by: '10.0.0' })
  })

  /** What is set up, word by word. */
  async function texts(): Promise<unknown[]> {
    const { rows } = await admin.query(`select oid::regprocedure::text as name, xmin::text, prosrc from pg_proc
      where pronamespace = 'beatlock'::regnamespace order by 1`)
    return rows
  }
})

const FLOW_APP = new URL('../support/flow-app.js', import.meta.url).pathname
