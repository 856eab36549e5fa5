import assert from 'node:assert/strict'
import { Client } from 'pg'
import { VERSION } from '../../adapters/postgres/definition.js'
import { openBarrier, openLockStore, openScheduleStore } from '../../adapters/postgres/index.js'
import { tables } from '../../adapters/postgres/statements/tables.js'
import { UsageError } from '../../src/lock/error.js'
import { acquiring, KEY, runStep, sceneOf } from '../contract/lock-store/scene.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { appName, benchOf, freshOptions } from './postgres-bench.js'

describe('the Postgres schema', () => {
  let server: PostgresServer
  let admin: Client
  before(async () => {
    server = await startPostgres()
    admin = new Client(server.connection)
    await admin.connect()
  })
  after(async () => {
    await admin.end()
    await server.remove()
  })

  it('is set up once by eight that start at the same time', async () => {
    const options = freshOptions(server, { schema: 'crowded' })
    const opened = await Promise.all([
      ...Array.from({ length: 4 }, () => openLockStore(options)),
      ...Array.from({ length: 2 }, () => openScheduleStore(options)),
      ...Array.from({ length: 2 }, () => openBarrier(options)),
    ])
    await Promise.all(opened.map((each) => each.close()))
    const { rows } = await admin.query('select version from crowded.schema_version')
    assert.deepEqual(rows, [{ version: VERSION }])
  })

  /** As the first version left it: its tables, a function of other arguments, one that there is no more, two holds. */
  async function makeFirstVersion(schema: string, app: string): Promise<void> {
    await admin.query(tables(schema))
    await admin.query(`insert into ${schema}.schema_version (version) values (1);
      create function ${schema}.acquire_v1(p_app text) returns text language sql as 'select p_app';
      create function ${schema}.holders_v1(p_app text, p_key text) returns bigint language sql as 'select 0::bigint';
      create function ${schema}.add_v1(a integer) returns integer language sql as 'select a + 1'`)
    await admin.query(`insert into ${schema}.lock_key (app, key, last_token) values ('${app}', '${KEY}', 5)`)
    await admin.query(`insert into ${schema}.lock_call (app, key, message_id, round, stage, task, label, queue,
        holder_limit, mode, timeout_ms, guarded, expires_at, due_at, acquired_at, since, token, owner, slot, cancelled_by)
      values ('${app}', '${KEY}', 'a', 1, 'running', 't', 't', 'q', 1, 'untilExecuted', 60000, true, 9e12, 9e12, 1, 1, 5,
        'o', 0, 'ada')`)
  }

  it('of the first version is brought up to date by eight that start at the same time, with what it keeps', async () => {
    const options = freshOptions(server, { schema: 'older', app: appName() })
    await makeFirstVersion('older', options.app)
    const opened = await Promise.all(Array.from({ length: 8 }, () => openLockStore(options)))
    const store = opened[0] as (typeof opened)[number]
    const refused = await store.acquire(acquiring('b'))
    assert.ok(refused.outcome === 'refused', 'the old hold still keeps the key')
    const row = (await store.show(KEY))?.rows[0]
    assert.deepEqual([row?.holder, row?.cancelledBy, row?.cancelledHow], ['a', 'ada', 'cleared'])
    const times = { publishLeaseMs: 1, resultMs: 1 }
    const ended = { key: KEY, messageId: 'a', round: 1, token: 5, code: null, result: null, error: null }
    const released = await store.release({ ...ended, outcome: 'ran', ...times })
    assert.ok(released.outcome === 'released')
    assert.equal(released.record.outcome, 'cleared')
    assert.equal((await store.advance(runStep('b'))).outcome, 'granted')
    await Promise.all(opened.map((each) => each.close()))
    const names = await admin.query("select proname from pg_proc where pronamespace = 'older'::regnamespace")
    const kept = names.rows.map((each) => (each as { proname: string }).proname)
    assert.ok(!kept.includes('holders_v1'), 'what is no more is gone')
    assert.ok(kept.includes('add_v1'), 'what others made stays')
    assert.equal(new Set(kept).size, kept.length, 'no function is there in two versions')
  })

  it('gets the functions of this build where another build of the same version left its own', async () => {
    const options = freshOptions(server, { schema: 'other_build' })
    await (await openLockStore(options)).close()
    await admin.query(`drop function other_build.acquire_v1;
      create function other_build.acquire_v1(p_app text) returns text language sql as 'select p_app';
      update other_build.schema_version set functions = 'of another build'`)
    const bench = await benchOf(server, () => openLockStore(options))
    assert.equal((await sceneOf(bench).acquire('a')).outcome, 'granted')
    await bench.close()
  })

  it('is refused to a role that may not bring it up to date', async () => {
    await makeFirstVersion('owned', 'app')
    await admin.query(`create role guest login password 'pw'; grant usage on schema owned to guest;
      grant all on all tables in schema owned to guest`)
    const connection = { ...server.connection, user: 'guest', password: 'pw' }
    await assert.rejects(
      openLockStore(freshOptions(server, { connection, schema: 'owned' })),
      usage(/may not bring schema "owned" up to date/),
    )
  })

  it('may be one that an administrator made for a role without the right to make schemas', async () => {
    await admin.query("create role plain login password 'pw'; create schema given authorization plain")
    const connection = { ...server.connection, user: 'plain', password: 'pw' }
    const store = await openLockStore(freshOptions(server, { connection, schema: 'given' }))
    await store.close()
    await assert.rejects(
      openLockStore(freshOptions(server, { connection, schema: 'ungiven' })),
      usage(/may not create schema "ungiven"/),
    )
  })

  it('is refused by name where it is no plain name', async () => {
    await assert.rejects(openLockStore(freshOptions(server, { schema: 'a b' })), usage(/plain name.*'a b'/))
  })

  it('is refused to a role whose transactions are not READ COMMITTED', async () => {
    await admin.query("create role strict login superuser password 'pw'")
    await admin.query("alter role strict set default_transaction_isolation = 'repeatable read'")
    const connection = { ...server.connection, user: 'strict', password: 'pw' }
    await assert.rejects(
      openLockStore(freshOptions(server, { connection, schema: 'isolated' })),
      usage(/READ COMMITTED.*'repeatable read'/),
    )
  })

  it('its transitions raise in any other isolation level', async () => {
    await (await openLockStore(freshOptions(server))).close()
    for (const sql of [
      "acquire_v1('a', 'k', '{}', '')",
      "confirm_v1('a', '{}', '{}', '{}')",
      "sweep_v1('a', 1, 1, 1)",
    ]) {
      await admin.query('begin isolation level repeatable read')
      await assert.rejects(admin.query(`select beatlock.${sql}`), { code: 'BL001' })
      await admin.query('rollback')
    }
  })

  it('a wrong password is a usage error that does not tell it', async () => {
    const connection = { ...server.connection, password: 'sesame' }
    await assert.rejects(
      openLockStore(freshOptions(server, { connection })),
      (error: unknown) => usage(/28P01/)(error) && !String(error).includes('sesame'),
    )
  })
})

function usage(message: RegExp) {
  return (error: unknown) => error instanceof UsageError && message.test(error.message)
}
