import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { serverAccount } from '../../adapters/embedded/account.js'
import { openBarrier, openLockStore } from '../../adapters/postgres/index.js'
import { UsageError } from '../../src/lock/error.js'
import { sceneOf } from '../contract/lock-store/scene.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { until } from '../support/until.js'
import { benchOf, freshOptions } from './postgres-bench.js'

describe('behind PgBouncer in transaction mode', () => {
  let server: PostgresServer
  let pooler: { child: ChildProcess; port: number; folder: string }
  before(async () => {
    assert.equal(spawnSync('pgbouncer', ['--version']).status, 0, 'pgbouncer is not on PATH: apt-get install pgbouncer')
    server = await startPostgres()
    pooler = await startPooler(server)
  })
  after(async () => {
    if (!pooler) return
    const exit = once(pooler.child, 'exit')
    pooler.child.kill('SIGKILL')
    await exit
    await rm(pooler.folder, { recursive: true })
    await server.remove()
  })

  const connection = () => ({ ...server.connection, port: pooler.port })

  it('a session barrier is refused with advice, whether the pooler drops settings or refuses them', async () => {
    const advice = (error: unknown) =>
      error instanceof UsageError && /pooler.*direct URL.*barrier: 'none'/.test(error.message)
    await assert.rejects(openBarrier(freshOptions(server, { connection: connection() })), advice)
    await configure(pooler, server, 'ignore_startup_parameters = options')
    await assert.rejects(openBarrier(freshOptions(server, { connection: connection() })), advice)
  })

  it('the lock store works', async () => {
    const bench = await benchOf(server, (options) => openLockStore({ ...options, connection: connection() }))
    const scene = sceneOf(bench)
    const answers = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((id) => scene.acquire(id)))
    assert.equal(answers.filter((answer) => answer.outcome === 'granted').length, 1)
    await bench.close()
  })

  it('[P19] there are no notices: nobody is told, no session that others use is left listening, the locks work', async () => {
    const bench = await benchOf(server, (options) => openLockStore({ ...options, connection: connection() }))
    let looked = 0
    for (const topic of ['due', 'message:a', 'worker:w1@host'] as const) bench.store.listen(topic, () => (looked += 1))
    const scene = sceneOf(bench)
    await scene.acquire('a')
    await scene.running('a', { leaseMs: 60_000 })
    assert.equal((await scene.clear({ running: 'cancel' })).cancelled.length, 1)
    const admin = new Client(server.connection)
    await admin.connect()
    const listening = await admin.query("select from pg_stat_activity where query ilike 'listen %'")
    await admin.end()
    await bench.close()
    assert.deepEqual([looked, listening.rowCount], [0, 0])
  })
})

async function startPooler(server: PostgresServer) {
  const folder = await mkdtemp(join(tmpdir(), 'beatlock-test-pooler-'))
  const account = await serverAccount(folder)
  if (account) await chown(folder, account.uid, account.gid)
  const pooler = { folder, port: await freePort(), child: undefined as unknown as ChildProcess }
  await writeFile(join(folder, 'users.txt'), `"${server.connection.user}" "${server.connection.password}"\n`)
  await writeConfig(pooler, server, '')
  pooler.child = spawn('pgbouncer', [join(folder, 'pgbouncer.ini')], { ...account, stdio: 'ignore' })
  await serving(pooler, server)
  return pooler
}

async function configure(
  pooler: { folder: string; port: number; child: ChildProcess },
  server: PostgresServer,
  line: string,
) {
  await writeConfig(pooler, server, line)
  pooler.child.kill('SIGHUP')
  await until(
    async () => {
      const client = new Client({ ...server.connection, port: pooler.port, options: '-c work_mem=1MB' })
      client.on('error', () => {})
      const accepted = await client.connect().then(
        () => true,
        () => false,
      )
      await client.end().catch(() => {})
      return accepted
    },
    { what: 'the pooler to read its configuration' },
  )
}

async function writeConfig(pooler: { folder: string; port: number }, server: PostgresServer, line: string) {
  const lines = [
    '[databases]',
    `* = host=127.0.0.1 port=${server.connection.port}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${pooler.port}`,
    'unix_socket_dir =',
    'auth_type = scram-sha-256',
    `auth_file = ${join(pooler.folder, 'users.txt')}`,
    'pool_mode = transaction',
    line,
  ]
  await writeFile(join(pooler.folder, 'pgbouncer.ini'), `${lines.join('\n')}\n`)
}

async function serving(pooler: { port: number }, server: PostgresServer): Promise<void> {
  await until(
    async () => {
      const client = new Client({ ...server.connection, port: pooler.port })
      client.on('error', () => {})
      const answered = await client.connect().then(
        () => true,
        () => false,
      )
      await client.end().catch(() => {})
      return answered
    },
    { what: 'the pooler to serve' },
  )
}

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  listener.close()
  await once(listener, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
