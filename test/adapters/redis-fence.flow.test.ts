import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Cluster, Redis } from 'ioredis'
import { type FencedCommand, fencedWrite } from '../../adapters/redis/fencing.js'
import { UsageError } from '../../src/lock/error.js'
import type { Fence } from '../../src/task-base/fence.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'
import { isStale, race } from './fence-bench.js'

describe('a fenced write to Redis', () => {
  let server: RedisServer
  let redis: Redis
  const lockOf = (token: number, over: Partial<Fence> = {}): Fence => {
    return { key: 'import:1', token, space: { app: 'shop' }, ...over }
  }
  const write = (token: number, ...commands: FencedCommand[]): Promise<unknown[]> =>
    fencedWrite(redis, lockOf(token), commands)

  before(async () => {
    server = await startRedis()
    redis = new Redis(server.port, '127.0.0.1')
  })
  beforeEach(() => redis.flushall())
  after(async () => {
    redis?.disconnect()
    await server?.stop()
  })

  it('[P5] writes all commands in one step and answers their replies, under a token that is not lower', async () => {
    const token = 1_790_000_000_000_001
    const binary = new Uint8Array([0, 255, 10])
    const commands: FencedCommand[] = [
      ['set', 'report:7', 'first'],
      ['hset', 'totals:7', 'n', 7, 'm', 8.5],
      ['get', 'report:8'],
      ['set', 'bytes', binary],
      ['rpush', 'list', 'a', 'b'],
    ]
    assert.deepEqual(await write(token, ...commands), ['OK', 2, null, 'OK', 2])
    assert.deepEqual(await redis.hgetall('totals:7'), { n: '7', m: '8.5' })
    assert.deepEqual(await redis.getBuffer('bytes'), Buffer.from(binary))
    assert.deepEqual(await write(token, ['incr', 'n']), [1])
    assert.equal(await redis.get('beatlock:fence:{report:7}:shop:import:1'), String(token))
  })

  it('[P5] refuses a lower token, and then writes nothing at all; of that lock and those keys alone', async () => {
    await write(1_790_000_000_000_002, ['set', 'b', 'second'])
    await assert.rejects(
      write(1_790_000_000_000_001, ['set', 'a', 'first'], ['set', 'b', 'first']),
      isStale(1_790_000_000_000_001, 1_790_000_000_000_002),
    )
    assert.deepEqual(await redis.mget('a', 'b'), [null, 'second'])
    await fencedWrite(redis, lockOf(5, { key: 'import:2' }), [['set', 'b', 'of another lock']])
    await fencedWrite(redis, lockOf(5, { space: { app: 'other' } }), [['set', 'b', 'of another app']])
    await write(5, ['set', 'a', 'a key that no higher token wrote'])
    assert.equal(await redis.get('b'), 'of another app')
  })

  it('[P5] no lower token writes after a higher one, in any order over two clients', async () => {
    const other = new Redis(server.port, '127.0.0.1')
    const step = fc.record({ token: fc.integer({ min: 1, max: 9 }), on: fc.nat(1), keys: fc.nat(2) })
    const keysOf = [['x'], ['y'], ['x', 'y']]
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 12 }), async (steps) => {
          await redis.flushall()
          const one = async ({ token, on, keys }: (typeof steps)[number]): Promise<void> => {
            const commands = (keysOf[keys] ?? []).map((key): FencedCommand => ['rpush', key, token])
            await fencedWrite(on ? other : redis, lockOf(token), commands).catch((error) =>
              assert.ok(isStale(token, error.highest)(error)),
            )
          }
          await Promise.all(steps.map(one))
          for (const key of ['x', 'y']) {
            const written = (await redis.lrange(key, 0, -1)).map(Number)
            assert.deepEqual(
              written,
              written.toSorted((a, b) => a - b),
            )
            const alone = steps.filter(({ keys }) => keysOf[keys]?.includes(key)).map(({ token }) => token)
            if (alone.length > 0 && steps.every(({ keys }) => keys !== 2))
              assert.equal(written.at(-1), Math.max(...alone))
          }
        }),
        { numRuns: 100 },
      )
    } finally {
      other.disconnect()
    }
  })

  it('[P5] two processes race for one list: its tokens never go down', async () => {
    assert.ok((await race(server.url)) > 0, 'and some came too late')
    const written = (await redis.lrange('raced', 0, -1)).map(Number)
    assert.ok(written.length > 100)
    assert.deepEqual(
      written,
      written.toSorted((a, b) => a - b),
    )
  })

  it('raises the fence before it writes: a command that fails lets no lower token follow', async () => {
    await redis.set('text', 'x')
    await assert.rejects(write(7, ['set', 'before', '1'], ['hset', 'text', 'a', 'b']), /WRONGTYPE/)
    await assert.rejects(write(6, ['set', 'before', '2']), isStale(6, 7))
    assert.equal(await redis.get('before'), '1')
  })

  it('keeps fences in the slots of the keys they are about, prefixes and hash tags included', async () => {
    const where = ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1']
    const node = await startRedis({ extra: where })
    const plain = new Redis(node.port, '127.0.0.1')
    const [cluster, prefixed] = [{}, { keyPrefix: 'p:' }].map(
      (options) => new Cluster([{ host: '127.0.0.1', port: node.port }], { ...options, lazyConnect: true }),
    ) as [Cluster, Cluster]
    try {
      await plain.call('cluster', 'addslotsrange', 0, 16_383)
      await until(async () => /cluster_state:ok/.test(String(await plain.cluster('INFO'))), { what: 'the cluster' })
      await Promise.all([cluster.connect(), prefixed.connect()])
      const tagged: FencedCommand[] = [
        ['set', 'a:{t}', 'x'],
        ['set', 'b:{t}:c', 'x'],
      ]
      for (const client of [cluster, prefixed]) {
        await fencedWrite(client, lockOf(7), tagged)
        await fencedWrite(client, lockOf(7), [['set', 'a{b', 'x']])
        await fencedWrite(client, lockOf(7), [['set', 'report:7', 'x']])
        await assert.rejects(fencedWrite(client, lockOf(6), tagged), isStale(6, 7))
        const apart = fencedWrite(client, lockOf(8), [
          ['set', 'report:7', 'y'],
          ['set', 'report:8', 'y'],
        ])
        await assert.rejects(apart, /CROSSSLOT|same slot/)
      }
      assert.deepEqual(await Promise.all(['report:7', 'p:report:7', 'report:8'].map((key) => plain.get(key))), [
        'x',
        'x',
        null,
      ])
      const fences = (await plain.keys('*fence*')).toSorted()
      assert.deepEqual(fences, [
        'beatlock:fence:{a{b}:shop:import:1',
        'beatlock:fence:{report:7}:shop:import:1',
        'beatlock:fence:{t}:shop:import:1',
        'p:beatlock:fence:{p:a{b}:shop:import:1',
        'p:beatlock:fence:{p:report:7}:shop:import:1',
        'p:beatlock:fence:{t}:shop:import:1',
      ])
    } finally {
      for (const client of [cluster, prefixed, plain]) client.disconnect()
      await node.stop()
    }
  })

  it('forgets an unused fence only if told so', async () => {
    await write(7, ['set', 'kept', 'x'])
    await fencedWrite(redis, lockOf(7), [['set', 'gone', 'x']], { ttl: '2m' })
    assert.equal(await redis.pttl('beatlock:fence:{kept}:shop:import:1'), -1)
    const ttl = await redis.pttl('beatlock:fence:{gone}:shop:import:1')
    assert.ok(ttl > 0 && ttl <= 120_000)
  })

  it('refuses what is no lock, client, command or option, with what to write instead', async () => {
    const refused = async (message: RegExp, ...args: readonly unknown[]): Promise<void> => {
      const call = fencedWrite as (...args: readonly unknown[]) => Promise<unknown>
      await assert.rejects(call(...args), (error: Error) => error instanceof UsageError && message.test(error.message))
    }
    const set = ['set', 'k', 'v']
    await refused(/no lock: this task runs without one/, redis, undefined, [set])
    await refused(/token to be a positive whole number, got 1.5/, redis, lockOf(1.5), [set])
    await refused(/client of ioredis/, {}, lockOf(7), [set])
    await refused(/must be given commands/, redis, lockOf(7), [])
    await refused(/its name, its key and its arguments, got \["flushall",null\]/, redis, lockOf(7), [['flushall']])
    await refused(/texts, numbers or bytes, got NaN in \["set","k"\]/, redis, lockOf(7), [['set', 'k', Number.NaN]])
    await refused(/more than 7000 arguments/, redis, lockOf(7), [['rpush', 'k', ...Array(7_001).fill('x')]])
    await refused(/braces that are no hash tag; write it without/, redis, lockOf(7), [['set', 'a{}b', 'v']])
    await refused(/no option 'tll'; did you mean "ttl"/, redis, lockOf(7), [set], { tll: '1h' })
    await refused(/ttl.*at least 1m/, redis, lockOf(7), [set], { ttl: '1s' })
    assert.deepEqual(await redis.keys('*'), [])
    assert.equal((await write(7, ['rpush', 'k', ...Array(7_000).fill('x')]))[0], 7_000)
  })
})
