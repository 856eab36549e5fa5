import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { openEmbedded } from '../../adapters/embedded/index.js'
import { App } from '../../src/index.js'
import type { Finding } from '../../src/lock/finding.js'
import type { WorkerRow } from '../../src/lock/worker-row.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { type Quorum, startQuorum } from '../support/quorum.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { fixture, runCommand, startCommand } from './command.js'

type Told = Finding & { readonly server: string; readonly role: string }

describe('beatlock doctor', function () {
  this.timeout(120_000)
  let redis: RedisServer
  let admin: Redis

  before(async () => {
    redis = await startRedis({ appendonly: true })
    admin = new Redis(redis.url)
  })
  after(async () => {
    admin.disconnect()
    await redis.stop()
  })

  async function told(...args: string[]): Promise<{ code: number | null; found: Told[]; stderr: string }> {
    const { code, stdout, stderr } = await runCommand([...args, 'doctor', '--json'])
    return { code, found: JSON.parse(stdout) as Told[], stderr }
  }

  const of = (found: readonly Told[], check: string): Told | undefined => found.find((each) => each.check === check)

  it('finds nothing wrong with a server that keeps what it is told, leaves nothing of an app there, and says what it is', async () => {
    const { code, stdout, stderr } = await runCommand(['--broker', redis.url, 'doctor'])
    assert.equal(code, 0, stdout)
    assert.match(stdout, /^redis:\/\/127\.0\.0\.1:\d+\/0 \(broker and locks\)\n {2}fine {5}version: Redis \d+\.\d+/)
    assert.match(stdout, /fine {5}persistence: each write is on disk before its reply/)
    assert.match(stdout, /\nall apps \(workers and queues\)\n {2}note {5}workers: none lives/)
    assert.match(stderr, /no problem found/)
    // Whoever opens a store notes its format; that of no app, as every command that looks at all apps.
    const keys = await admin.keys('*')
    assert.deepEqual(
      keys.filter((key) => !/^\{bl:\d+\}:_:(lock|beat):format$/.test(key)),
      [],
    )
  })

  it('finds what a careless server does to locks, with the cure; worker and beat refuse one that evicts them', async () => {
    const careless = await startRedis({ extra: ['--maxmemory-policy', 'allkeys-lru'] })
    try {
      const { code, found, stderr } = await told('--broker', careless.url)
      assert.equal(code, 1)
      assert.match(stderr, /2 problems found/)
      assert.deepEqual([of(found, 'persistence')?.verdict, of(found, 'eviction')?.verdict], ['problem', 'problem'])
      assert.match(of(found, 'eviction')?.cure ?? '', /maxmemory-policy noeviction/)
      assert.match(of(found, 'workers')?.says ?? '', /^cannot tell: .*evicts any key/)
      for (const command of ['worker', 'beat']) {
        const refused = await runCommand(['-A', fixture('shop'), '--broker', careless.url, command])
        assert.equal(refused.code, 2, `${command}: ${refused.stderr}`)
        assert.match(refused.stderr, /evicts any key .*maxmemory-policy allkeys-lru.*noeviction/)
      }
    } finally {
      await careless.stop()
    }
  })

  it('cannot tell where a user may not ask, and says so', async () => {
    await admin.call('ACL', 'SETUSER', 'narrow', 'on', '>pw', '~*', '&*', '+@all', '-config')
    const { code, found } = await told('--broker', redis.url.replace('//', '//narrow:pw@'))
    await admin.call('ACL', 'DELUSER', 'narrow')
    assert.equal(code, 0)
    assert.match(of(found, 'persistence')?.says ?? '', /appendfsync cannot be seen/)
    assert.ok(found.every(({ server }) => !server.includes('pw')))
  })

  it('exits with 69 where a server cannot be reached, and still tells of the other', async () => {
    const { code, found, stderr } = await told('--broker', redis.url, '--locks', 'redis://:s3cret@127.0.0.1:1/0')
    assert.equal(code, 69)
    assert.deepEqual([...new Set(found.map(({ role }) => role))], ['broker', 'locks'])
    assert.equal(of(found, 'version')?.verdict, 'fine')
    assert.match(of(found, 'reached')?.says ?? '', /cannot be reached: /)
    assert.match(stderr, /127\.0\.0\.1:1\/0 cannot be reached/)
    assert.doesNotMatch(JSON.stringify(found) + stderr, /s3cret/)
  })

  it('finds guards that differ between living workers, and a queue that nobody consumes', async () => {
    const app = new App('doctored', { broker: redis.url })
    try {
      app.task('lonely', { queue: 'reports' }, () => 1)
      await app.sendTask('lonely')
      const { store } = await app.connection()
      for (const [name, mark] of [
        ['w1', 'a'],
        ['w2', 'b'],
      ] as const)
        await store.renew({ worker: rowOf(name, { feed: mark }), leases: [], acked: [] })
      const { code, found } = await told('--broker', redis.url, '--app', 'doctored')
      assert.equal(code, 1)
      assert.match(of(found, 'guards')?.says ?? '', /task feed is not guarded alike by w1, w2/)
      assert.match(of(found, 'queues')?.says ?? '', /no worker of app doctored consumes reports: 1 waiting/)
      await store.destroy()
    } finally {
      await app.close()
    }
  })

  describe('of Postgres', () => {
    let server: PostgresServer
    before(async () => {
      server = await startPostgres()
    })
    after(() => server.remove())

    it('says what is set, of a database where nothing is set up yet and of one in use', async () => {
      const first = await told('--broker', server.url)
      assert.match(of(first.found, 'schema')?.says ?? '', /not set up yet in schema beatlock/)
      assert.equal(of(first.found, 'pooler')?.verdict, 'fine')
      const again = await told('--broker', server.url)
      assert.deepEqual(of(again.found, 'schema'), of(first.found, 'schema'), 'the look has set nothing up')
      assert.match(of(again.found, 'workers')?.says ?? '', /^not looked for: /)
      const app = new App('doctored', { broker: server.url })
      await app.locks.list().next()
      await app.close()
      const second = await told('--broker', server.url)
      assert.match(of(second.found, 'schema')?.says ?? '', /is current \(version \d+\)/)
      assert.match(of(second.found, 'workers')?.says ?? '', /none lives/)
      assert.match(of(second.found, 'lock table')?.says ?? '', /\d+ locks are held, and there is room for about \d+/)
    })
  })

  it('looks at each node of a quorum', async () => {
    const quorum: Quorum = await startQuorum()
    try {
      const env = { DOCTOR_BROKER: redis.url, DOCTOR_QUORUM: quorum.urls.join() }
      const args = ['-A', fixture('quorum'), 'doctor', '--json']
      const all = await startCommand(args, 'beatlock', { env }).ended
      const nodes = (JSON.parse(all.stdout) as Told[]).filter(({ role }) => role === 'node of the quorum')
      assert.equal(new Set(nodes.map(({ server }) => server)).size, 3)
      assert.deepEqual(
        nodes.filter(({ verdict }) => verdict === 'problem').map(({ check }) => check),
        ['persistence', 'persistence', 'persistence'],
      )
      assert.equal(all.code, 1)
      await quorum.stop(1)
      const away = await startCommand(args, 'beatlock', { env }).ended
      assert.equal(away.code, 69)
      assert.match(away.stderr, new RegExp(`127\\.0\\.0\\.1:${quorum.nodes[1]?.port} cannot be reached`))
    } finally {
      await quorum.remove()
    }
  })

  it('says of an embedded server where it is, and starts none', async () => {
    const dir = join(mkdtempSync(join(tmpdir(), 'beatlock-doctor-')), 'bl')
    try {
      const none = await told('--broker', `embedded:${dir}`)
      assert.equal(none.code, 0)
      assert.match(of(none.found, 'folder')?.says ?? '', /does not run \(there is no data yet\)/)
      const server = await openEmbedded({ dir, mayStart: true })
      try {
        const running = await told('--broker', `embedded:${dir}`)
        assert.match(of(running.found, 'folder')?.says ?? '', /^it runs \(\d+ MB\); 1 process uses it/)
        assert.equal(of(running.found, 'durability')?.verdict, 'fine')
      } finally {
        await server.close()
      }
    } finally {
      rmSync(join(dir, '..'), { recursive: true, force: true })
    }
  })

  it('teaches by --help', async () => {
    const { code, stdout } = await runCommand(['doctor', '--help'])
    assert.equal(code, 0)
    assert.match(stdout, /0 no problem, 1 problems, 69 a server cannot be reached/)
  })
})

function rowOf(name: string, guards: Record<string, string>): WorkerRow {
  const row = { app: 'doctored', name, host: 'h', pid: 1, queues: ['default'], tasks: [], version: '0', concurrency: 1 }
  return { ...row, guards, startedAt: Date.now(), seenAt: 0 }
}
