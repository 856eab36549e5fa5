import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { type FlowScene, PLACES, type Place, startScene } from '../support/flow-scene.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { until } from '../support/until.js'

type FencedApp = typeof import('./fixture/fenced-app.js')

const MODULE = fileURLToPath(new URL('./fixture/fenced-app.js', import.meta.url))

/** Locks with the written table on one Postgres, and locks on Redis: bodies run in the children of a real worker. */
for (const locks of ['postgres', 'redis'] as const) {
  describe(`tasks that write fenced to Postgres, with locks on ${locks}`, function () {
    this.timeout(60_000)
    let server: PostgresServer
    let place: Place
    let admin: Client
    let scene: FlowScene<FencedApp>
    before(async () => {
      server = await startPostgres()
      admin = new Client(server.connection)
      await admin.connect()
      await admin.query('create table written (place bigserial, token bigint)')
      process.env['FENCED_URL'] = server.url
      place =
        locks === 'postgres'
          ? { url: server.url, stop: async () => {} }
          : await (PLACES['redis'] as () => Promise<Place>)()
      scene = await startScene<FencedApp>({ place, app: `fenced-${locks}`, concurrency: 2, module: MODULE })
    })
    after(async () => {
      await scene?.stop()
      delete process.env['FENCED_URL']
      await place?.stop()
      await admin?.end()
      await server?.remove()
    })
    afterEach(async () => {
      await scene.idle()
      await admin.query('truncate written')
    })
    const written = async (): Promise<number[]> =>
      (await admin.query('select token from written order by place')).rows.map(({ token }) => Number(token))
    const inTransaction = async (): Promise<boolean> =>
      (await admin.query("select from pg_stat_activity where state = 'idle in transaction'")).rowCount === 1

    it('[P5] a child is told where its lock is kept, and commits under it', async () => {
      const tokens: (number | undefined)[] = []
      for (let n = 0; n < 2; n += 1) {
        const { token, space } = await (await scene.flow.writes.delay()).get({ timeout: '30s' })
        tokens.push(token)
        const postgres = (space as { postgres?: { schema: string } }).postgres
        assert.equal(postgres?.schema, locks === 'postgres' ? 'beatlock' : undefined)
      }
      assert.deepEqual(await written(), tokens)
      const { rows } = await admin.query("select to_regclass('public.beatlock_fence') is not null as there")
      assert.equal(rows[0].there, locks === 'redis')
    })

    it('[P5] what a run had written is undone when it is stopped in mid-transaction', async () => {
      const call = await scene.flow.stays.delay()
      await until(inTransaction, { what: 'the body to be in its transaction' })
      await scene.app.revoke(call, { terminate: true })
      await assert.rejects(call.get({ timeout: '30s' }), { code: 'REVOKED' })
      await until(async () => !(await inTransaction()), { what: 'the server to have undone it' })
      assert.deepEqual(await written(), [])
      const next = await (await scene.flow.writes.delay()).get({ timeout: '30s' })
      assert.deepEqual(await written(), [next.token])
    })

    it('a task without a lock is told what to write instead', async () => {
      const call = await scene.flow.unguarded.delay()
      await assert.rejects(call.get({ timeout: '30s' }), /was given no lock.*Extend QueueOnce/)
      assert.deepEqual(await written(), [])
    })
  })
}
