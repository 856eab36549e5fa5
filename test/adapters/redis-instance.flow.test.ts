import assert from 'node:assert/strict'
import { lookup } from 'node:dns'
import { once } from 'node:events'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { App, type ServerOption, UsageError } from '../../src/index.js'
import { shownPlace } from '../../src/task-base/redis-place.js'
import { readServer } from '../../src/task-base/redis-settings.js'
import { redisPlace } from '../../src/task-base/redis-source.js'
import { startWorker } from '../../src/worker/worker.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'

describe('an ioredis instance as broker', function () {
  this.timeout(60_000)
  let server: RedisServer
  const instances: (Redis | Cluster)[] = []

  before(async () => {
    server = await startRedis({ extra: ['--requirepass', 's3cret'] })
  })
  after(() => server?.stop())
  afterEach(() => {
    for (const each of instances.splice(0)) each.disconnect()
  })

  const redis = (of: RedisOptions | string, more: RedisOptions = {}): Redis =>
    kept(new Redis(of as never, more as never))
  const cluster = (...args: ConstructorParameters<typeof Cluster>): Cluster => kept(new Cluster(...args))
  function kept<T extends Redis | Cluster>(instance: T): T {
    instances.push(instance)
    return instance
  }

  it('serves a worker with its own connections, and is neither used nor closed', async () => {
    const instance = redis({ port: server.port, host: '127.0.0.1', password: 's3cret', db: 1 })
    await once(instance, 'ready')
    const app = new App('instance', { broker: instance, locks: { url: { connection: instance } } })
    const double = app.task('double', {}, (n: number) => 2 * n)
    const worker = await startWorker({ app, ...SERVING })
    try {
      assert.equal(await (await double.delay(21)).get({ timeout: '20s' }), 42)
      const { servers } = await app.connection()
      assert.deepEqual([servers.broker, servers.locks], Array(2).fill(`redis://127.0.0.1:${server.port}/1`))
    } finally {
      await worker.stop('warm')
    }
    assert.equal(instance.status, 'ready')
    assert.equal(await instance.ping(), 'PONG')
    assert.deepEqual(instance.listenerCount('error') + instance.listenerCount('end'), 0)
  })

  const SHOWN: Record<string, () => readonly [ServerOption, string]> = {
    'a URL with TLS': () => [redis('rediss://u:p@h:7/3', LAZY), 'rediss://h:7/3'],
    'a socket': () => [redis('/tmp/redis.sock', LAZY), 'redis:///tmp/redis.sock/0'],
    sentinels: () => [
      redis({ sentinels: [{ host: 'a' }, { host: 'b', port: 5 }], name: 'm', password: 'p', db: 2, ...LAZY }),
      'redis+sentinel://a:26379,b:5/m/2',
    ],
    'a cluster': () => [
      cluster(['redis://a:7', { host: 'b', port: 8 }, 9], { ...LAZY, dnsLookup: lookup, redisOptions: { tls: {} } }),
      'rediss+cluster://a:7,b:8,127.0.0.1:9',
    ],
  }
  for (const [what, of] of Object.entries(SHOWN)) {
    it(`gives threads and children what they need as plain data: ${what}`, () => {
      const [instance, shown] = of()
      const source = readServer('broker', instance)
      assert.ok(source && typeof source === 'object')
      assert.deepEqual(JSON.parse(JSON.stringify(source)), source)
      assert.equal(shownPlace(redisPlace(source)), shown)
    })
  }

  it('gives the login of a cluster and of sentinels, and certificates as texts', () => {
    const nodes = cluster([{ host: 'a', port: 7 }], {
      ...LAZY,
      natMap: { '10.0.0.1:7': { host: 'a', port: 7 } },
      redisOptions: { username: 'ada', password: 'pw', tls: { servername: 'db' } },
    })
    const { username, password, tls, natMap } = redisPlace(readServer('broker', nodes) ?? '')
    assert.deepEqual([username, password, tls, natMap], ['ada', 'pw', { servername: 'db' }, NAT])
    const sentinels = redis({ sentinels: [{ host: 'a', port: 1 }], name: 'm', sentinelPassword: 'sp', ...LAZY })
    assert.deepEqual(redisPlace(readServer('broker', sentinels) ?? '').sentinel, { password: 'sp' })
  })

  const REFUSED: Record<string, () => readonly [unknown, RegExp]> = {
    'a keyPrefix': () => [redis({ keyPrefix: 'x:', ...LAZY }), /broker has a keyPrefix; .*duplicate/],
    'a natMap function': () => [cluster([{ port: 1 }], { natMap: () => null, ...LAZY }), /natMap must be an object/],
    'a check of certificates in code': () => [
      redis({ tls: { checkServerIdentity: () => undefined }, ...LAZY }),
      /tls\.checkServerIdentity cannot be handed to threads and children/,
    ],
    'a replica by sentinels': () => [
      redis({ sentinels: [{ host: 'a' }], name: 'm', role: 'slave', ...LAZY }),
      /reads from replicas/,
    ],
    'no instance': () => [{ connection: {} }, /must be an instance of ioredis' Redis or Cluster/],
    'something else': () => [42, /must be a URL such as .*, \{ url, tls \}, or an ioredis instance, got 42/],
  }
  for (const [what, of] of Object.entries(REFUSED)) {
    it(`is refused when the app is made, with what to do: ${what}`, () => {
      const [broker, sentence] = of()
      assert.throws(
        () => new App('refused', { broker: broker as ServerOption }),
        (error) => error instanceof UsageError && sentence.test(error.message),
      )
    })
  }

  it('leaves no connection of ours once the app is closed', async () => {
    const instance = redis({ port: server.port, host: '127.0.0.1', password: 's3cret', connectionName: 'own' })
    await once(instance, 'ready')
    const app = new App('left', { broker: instance })
    await app.connection()
    await app.close()
    // A closed socket may be the server's a moment longer.
    const clients = async () =>
      String(await instance.call('CLIENT', 'LIST'))
        .trim()
        .split('\n').length
    await until(async () => (await clients()) === 1, { what: 'our connections to be gone' })
  })
})

const NAT = { '10.0.0.1:7': { host: 'a', port: 7 } }
const LAZY = { lazyConnect: true } as const
const SERVING = {
  module: 'none',
  name: 'w1',
  concurrency: 1,
  pool: 'solo',
  queues: ['default'],
  softTimeLimitMs: null,
  timeLimitMs: null,
} as const
