import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { openBarrier, openLockStore, openScheduleStore } from '../../adapters/postgres/index.js'
import { App } from '../../src/index.js'
import { runCommand, startCommand } from '../cli/command.js'
import { startScene } from '../support/flow-scene.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { projectRoot } from '../support/project-root.js'
import { until } from '../support/until.js'
import { appName, freshOptions } from './postgres-bench.js'

const FLOW_APP = new URL('../support/flow-app.js', import.meta.url).pathname

/** What the README tells an administrator to run. */
function statements(): string {
  const readme = readFileSync(join(projectRoot(), 'README.md'), 'utf8')
  const [, sql] = /```sql\n(CREATE ROLE.*?)```/s.exec(readme) ?? []
  assert.ok(sql, 'the README has the roles')
  return sql.replace('DATABASE shop', 'DATABASE postgres')
}

describe("the README's roles on Postgres", function () {
  this.timeout(120_000)
  let server: PostgresServer
  let admin: Client
  before(async () => {
    server = await startPostgres()
    admin = new Client(server.connection)
    await admin.connect()
    await admin.query(statements())
  })
  after(async () => {
    await admin?.end()
    await server?.remove()
  })

  const urlOf = (role: string) => `postgres://${role}:change%20me@127.0.0.1:${server.connection.port}/postgres`
  const locks = (role: string, ...args: readonly string[]) =>
    runCommand([...args, '--broker', urlOf(role), '--app', 'roles'], 'locks')

  it('before the owner has set the schemas up the others are told what to run', async () => {
    const { code, stderr } = await locks('shop_run', 'list')
    assert.equal(code, 2, stderr)
    assert.match(
      stderr,
      /may not set up schema bullmq, nor bring it up to date: run any beatlock command once as the role/,
    )
    const options = freshOptions(server, {
      connection: { ...server.connection, user: 'shop_run', password: 'change me' },
    })
    for (const open of [openLockStore, openScheduleStore, openBarrier]) {
      await assert.rejects(
        open(options) as Promise<unknown>,
        /may not create schema "beatlock": run any beatlock command once/,
      )
    }
  })

  it('the owner sets up by any command; then workers, calls, lists and clears go as the role that runs', async () => {
    assert.equal((await locks('shop_owner', 'list')).code, 0)
    const scene = await startScene({ place: { url: urlOf('shop_run') }, app: appName(), lease: '15s' })
    try {
      const result = await scene.flow.publisher.delay(1)
      assert.equal(await result.get({ timeout: '30s' }), 'published')
      const held = await scene.flow.slow.delay({ n: 7, told: true })
      await scene.started(held.id)
      assert.equal((await scene.flow.slow.delay({ n: 7 })).outcome, 'rejected')
      const list = await runCommand(['list', '--broker', urlOf('shop_run'), '--app', scene.app.name], 'locks')
      assert.match(list.stdout, /slow n=7 +running/)
      const clear = ['clear', '*', '--force', '--yes', '--broker', urlOf('shop_run'), '--app', scene.app.name]
      const cleared = await runCommand(clear, 'locks')
      assert.equal(cleared.code, 0, cleared.stderr)
      await scene.idle()
    } finally {
      await scene.stop('cold')
    }
    const { rows } = await admin.query(
      "select distinct tableowner from pg_tables where schemaname in ('beatlock', 'bullmq')",
    )
    assert.deepEqual(rows, [{ tableowner: 'shop_owner' }])
  })

  it('a beat goes as the role that runs, and its timetable can be changed', async () => {
    const name = appName()
    const env = { FLOW_APP: name, FLOW_BROKER: urlOf('shop_run') }
    const added = await startCommand(
      ['schedule', 'add', 'often', '--task', 'plain', '--schedule', '1s', '--args', '[1]', '-A', FLOW_APP],
      'beatlock',
      { env },
    ).ended
    assert.equal(added.code, 0, added.stderr)
    const beat = startCommand(['beat', '-A', FLOW_APP], 'beatlock', { env })
    const app = new App(name, { broker: urlOf('shop_run') })
    try {
      const counts = async () =>
        (await (await app.connection()).servers.scheduleStore.show('often'))?.counts['published']
      await until(async () => ((await counts()) ?? 0) > 0, { timeoutMs: 30_000, what: 'a slot to be published' })
    } finally {
      beat.child.kill('SIGTERM')
      await beat.ended
      await app.close()
    }
  })

  it('the role that may look lists, and changes nothing', async () => {
    const app = new App('roles', { broker: urlOf('shop_run') })
    const task = app.task('nap', { once: { keys: ['n'], overlap: 'skip' } }, async (_: { n: number }) => 1)
    try {
      await task.delay({ n: 3 })
      const { stdout, stderr, code } = await locks('shop_read', 'list', '--json')
      assert.equal(code, 0, stderr)
      assert.deepEqual(
        (JSON.parse(stdout) as { label: string; why: string }[]).map(({ label, why }) => [label, why]),
        [['nap n=3', 'no worker consumes default']],
      )
      for (const command of [['schedule', 'list'], ['status']]) {
        const shown = await runCommand([...command, '--broker', urlOf('shop_read'), '--app', 'roles'])
        assert.equal(shown.code, 0, shown.stderr)
      }
      const refused = await locks('shop_read', 'clear', '*', '--yes')
      assert.equal(refused.code, 2, refused.stderr)
      assert.match(
        refused.stderr,
        /permission denied for table lock_\w+; .* GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "beatlock" TO shop_read\./,
      )
      assert.equal((await app.locks.list().next()).done, false)
    } finally {
      await (await app.connection()).store.destroy()
      await app.close()
    }
  })

  it('a privilege that is missing is named with the GRANT that cures it, and that cures it', async () => {
    await admin.query("create role bare login password 'change me'")
    const seen: string[] = []
    for (;;) {
      const { code, stderr } = await locks('bare', 'list')
      if (code === 0) break
      assert.equal(code, 2, stderr)
      const [, cure] = /as the owner of schema \S+: (GRANT .* TO bare)\./.exec(stderr) ?? []
      assert.ok(cure, stderr)
      assert.ok(!seen.includes(cure), `${cure} did not cure: ${stderr}`)
      seen.push(cure)
      await admin.query(cure)
    }
    assert.deepEqual(seen, [
      'GRANT USAGE ON SCHEMA bullmq TO bare',
      'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA bullmq TO bare',
      'GRANT USAGE ON SCHEMA "beatlock" TO bare',
      'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "beatlock" TO bare',
    ])
  })
})
