import assert from 'node:assert/strict'
import { NodeConnection } from '../../adapters/redis/connection.js'
import { checkFormat, type Format } from '../../adapters/redis/format.js'
import { openLockStore, openScheduleStore } from '../../adapters/redis/index.js'
import { UsageError } from '../../src/lock/error.js'
import { packageVersion } from '../../src/lock/version.js'
import { runCommand } from '../cli/command.js'
import { acquiring, KEY, runStep } from '../contract/lock-store/scene.js'
import { withRedis } from '../support/redis-client.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'

const FLOW_APP = new URL('../support/flow-app.js', import.meta.url).pathname

describe('two versions of beatlock on one Redis', function () {
  this.timeout(120_000)
  let server: RedisServer
  before(async () => {
    server = await startRedis()
  })
  after(() => server?.stop())

  const options = (app: string) => ({ app, url: server.url, server: `127.0.0.1:${server.port}` })

  /** What a process of another version does at its opening. */
  async function noteAs(app: string, ours: Format): Promise<void> {
    const connection = new NodeConnection(options(app))
    await connection.open()
    for (const room of ['lock', 'beat'] as const) await checkFormat(connection, { app, room, ours })
    await connection.close()
  }

  /** All keys of an app with what they hold. */
  const all = (app: string): Promise<string[][]> =>
    withRedis(server, async (redis) => {
      // An epoch also notes the longest lease that was asked with.
      const keys = (await redis.keys(`*${app}:*`)).filter((key) => !key.endsWith(':epoch')).sort()
      return Promise.all(keys.map(async (key) => [key, (await redis.dumpBuffer(key)).toString('hex')]))
    })

  it('an older one goes on beside a newer one that serves it, and does not lower what is noted', async () => {
    await noteAs('served', { by: '9.0.0', version: 2, servesFrom: 1 })
    const before = await all('served')
    const [locks, beats] = [await openLockStore(options('served')), await openScheduleStore(options('served'))]
    assert.deepEqual(await all('served'), before)
    assert.equal((await locks.acquire(acquiring('a'))).outcome, 'granted')
    for (const each of [locks, beats]) await each.close()
  })

  it('an older one that must not work beside it is refused, with both versions and what to do, and changes nothing', async () => {
    await (await openLockStore(options('refused'))).close()
    await noteAs('refused', { by: '10.0.0', version: 3, servesFrom: 2 })
    const before = await all('refused')
    const sentence = new RegExp(
      "holds data of app 'refused' that beatlock 10\\.0\\.0 stored as version 3, for version 2 and later; this is " +
        `beatlock ${packageVersion()}, which knows version 1: upgrade beatlock here, or name another server`,
    )
    for (const open of [openLockStore, openScheduleStore]) {
      const opening = open(options('refused')) as Promise<unknown>
      await assert.rejects(opening, (error: unknown) => error instanceof UsageError && sentence.test(error.message))
    }
    const env = process.env['FLOW_APP']
    process.env['FLOW_APP'] = 'refused'
    try {
      for (const command of [
        ['worker', '-A', FLOW_APP],
        ['beat', '-A', FLOW_APP],
        ['locks', 'list', '--app', 'refused'],
      ]) {
        const { code, stderr } = await runCommand([...command, '--broker', server.url])
        assert.equal(code, 2, stderr)
        assert.match(stderr, sentence)
      }
    } finally {
      if (env === undefined) delete process.env['FLOW_APP']
      else process.env['FLOW_APP'] = env
    }
    assert.deepEqual(await all('refused'), before)
  })

  it('a lock that a newer one wrote is refused to an older one that was there before, and stays as it is', async () => {
    const store = await openLockStore(options('beside'))
    await store.acquire(acquiring('a', { publishLeaseMs: 60_000 }))
    await withRedis(server, async (redis) => {
      const [name] = (await redis.keys('*beside*record*')) as [string]
      const [place, stored] = (await redis.hgetallBuffer(name).then(Object.entries))[0] as [string, Buffer]
      assert.equal(stored[0], 1, 'its first value is the version')
      // The next version, with a value more at the end.
      await redis.hset(name, place, Buffer.concat([Buffer.from([2]), stored.subarray(1), Buffer.from([7])]))
    })
    const before = await all('beside')
    const newer = { code: 'USAGE', message: /a newer beatlock wrote this lock, in version 2: start this process again/ }
    await assert.rejects(store.acquire(acquiring('b')), newer)
    await assert.rejects(store.advance(runStep('a')), newer)
    await assert.rejects(store.show(KEY), newer)
    assert.deepEqual(await all('beside'), before)
    await store.close()
  })
})
