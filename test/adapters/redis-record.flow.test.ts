import assert from 'node:assert/strict'
import { openLockStore, openScheduleStore } from '../../adapters/redis/index.js'
import { shardNumber } from '../../adapters/redis/shard.js'
import { type LockKey, lockKey } from '../../src/lock/key.js'
import type { LockStore } from '../../src/lock/lock-store.js'
import { acquiring, KEY, refTo, releasing, renewal, runStep, TASK } from '../contract/lock-store/scene.js'
import { withRedis } from '../support/redis-client.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'

const parking = { whenHeld: { do: 'park', capacity: 10, keep: 'first' } } as const

describe('what Redis keeps', () => {
  let server: RedisServer
  let store: LockStore

  beforeEach(async () => {
    server ??= await startRedis({ appendonly: true })
    await withRedis(server, (redis) => redis.flushall())
    store = await openLockStore({ app: 'shop', url: server.url, server: 'here' })
  })
  afterEach(() => store.close())
  after(() => server.stop())

  it('[P18] no record, parked call or index has a lifetime that could take it away', async () => {
    await store.acquire(acquiring('a'))
    await store.acquire(acquiring('b', parking))
    await runOf(store, 'a')
    const names = await withRedis(server, (redis) => redis.keys('*'))
    assert.ok(names.some((name) => name.includes(':record:')) && names.some((name) => name.includes(':call:')))
    for (const name of names) assert.equal(await withRedis(server, (redis) => redis.pttl(name)), -1, name)
  })

  it('how a message ended goes after the time for which it is kept', async () => {
    await store.acquire(acquiring('a'))
    await store.release(releasing('a', await runOf(store, 'a')))
    assert.deepEqual(await lifetimes(server), { message: 7 * 86_400, outcomes: 7 * 86_400 })
    await store.renew({ worker: null, leases: [], acked: [refTo('a')] })
    assert.deepEqual(await lifetimes(server), { message: 600, outcomes: 7 * 86_400 })
  })

  it('an acknowledgement does not shorten the life of a result', async () => {
    await store.acquire(acquiring('a'))
    await store.release({ ...releasing('a', await runOf(store, 'a')), resultMs: 86_400_000 })
    await store.renew({ worker: null, leases: [], acked: [refTo('a')] })
    assert.equal((await lifetimes(server))['message'], 86_400)
  })

  it('the outcome of a call that was coalesced at its publish needs to outlive no redelivery', async () => {
    await store.acquire(acquiring('a'))
    await store.acquire(acquiring('b', parking))
    await store.acquire(acquiring('c', { whenHeld: { do: 'park', capacity: 1, keep: 'first' } }))
    assert.equal((await lifetimes(server))['message'], 600)
  })

  it('[P12] what happened to holds goes a week after the last of it', async () => {
    await store.acquire(acquiring('a'))
    await store.clear({ key: KEY, parked: false, running: 'keep', by: 'ada', publishLeaseMs: 1, resultMs: 1 })
    assert.deepEqual(await kinds(server), ['apps', 'epoch', 'format', 'history', 'request'])
    assert.equal((await lifetimes(server))['history'], 7 * 86_400)
  })

  it('a message whose second round lost its hold is still found by how the first ended', async () => {
    await store.acquire(acquiring('a'))
    await store.release(releasing('a', await runOf(store, 'a')))
    await store.acquire(acquiring('a', { round: 2 }))
    assert.equal((await store.find('a', null)).hold?.stage, 'publishing')
    await store.clear({ key: KEY, parked: false, running: 'keep', by: 'ada', publishLeaseMs: 1, resultMs: 1 })
    assert.equal((await store.find('a', null)).outcome?.outcome, 'ran')
    assert.equal((await lifetimes(server))['message'], 7 * 86_400)
  })

  it('a message whose record was lost is unknown to who revokes it by its id', async () => {
    await store.acquire(acquiring('a'))
    await withRedis(server, async (redis) => redis.del(await redis.keys('*:record:*')))
    const times = { publishLeaseMs: 1_000, resultMs: 1_000 }
    const request = { key: null, messageId: 'a', round: 1, terminate: false, by: 'ada', ...times }
    assert.equal((await store.revoke(request)).outcome, 'unknown')
    assert.deepEqual(await lifetimes(server), {})
  })

  it('an acknowledgement of one round leaves how another ended', async () => {
    for (const round of [1, 2]) {
      await store.acquire(acquiring('a', { round }))
      await store.release(releasing('a', null, { round }))
    }
    await store.renew({ worker: null, leases: [], acked: [{ ...refTo('a'), round: 1 }] })
    assert.equal((await lifetimes(server))['message'], 7 * 86_400)
  })

  it('an acknowledgement of one round leaves the message in flight in another', async () => {
    await store.acquire(acquiring('a'))
    await store.release(releasing('a', null))
    await store.acquire(acquiring('a', { round: 2 }))
    await store.renew({ worker: null, leases: [], acked: [refTo('a')] })
    assert.equal((await lifetimes(server))['message'], undefined)
  })

  it('one id that was used for two keys of a shard ended under each on its own', async () => {
    const other = beside(KEY)
    await store.acquire(acquiring('a'))
    await store.release(releasing('a', null))
    assert.equal((await store.acquire(acquiring('a', { key: other }))).outcome, 'granted')
    await store.release(releasing('a', null, { key: other, outcome: 'failed' }))
    assert.equal((await store.find('a', KEY)).outcome?.outcome, 'ran')
    assert.equal((await store.find('a', other)).outcome?.outcome, 'failed')
    assert.equal((await store.acquire(acquiring('a'))).outcome, 'finished')
  })

  it('every key carries the tag of its shard, and all of one lock the same', async () => {
    await store.acquire(acquiring('a'))
    await store.acquire(acquiring('b', parking))
    await store.release(releasing('c', null))
    const names = await withRedis(server, (redis) => redis.keys('*'))
    const ofLocks = names.filter((name) => kindOf(name) !== 'format')
    const tags = ofLocks.map((name) => /^\{bl:\d+\}/.exec(name)?.[0])
    assert.equal(new Set(tags).size, 1)
    assert.ok(tags[0])
  })

  it('[P3] tokens are stored to the last digit', async () => {
    await store.acquire(acquiring('a'))
    const token = await runOf(store, 'a')
    assert.ok(token > 1.6e15 && Number.isSafeInteger(token))
    const stored = await withRedis(server, async (redis) => {
      const [name] = await redis.keys('*:token')
      return redis.get(name ?? '')
    })
    assert.equal(stored, String(token))
    assert.equal((await store.show(KEY))?.rows[0]?.token, token)
  })

  it('[P3] a token is above the last one though the clock stands behind it', async () => {
    await store.acquire(acquiring('a'))
    await withRedis(server, async (redis) => {
      const [seconds] = await redis.time()
      for (let shard = 0; shard < 64; shard += 1) {
        await redis.set(`{bl:${shard}}:shop:lock:token`, `${Number(seconds) + 3_600}000001`)
      }
    })
    const token = await runOf(store, 'a')
    assert.equal(token % 1_000_000, 2)
    await store.release(releasing('a', token))
    await store.acquire(acquiring('b'))
    assert.equal(await runOf(store, 'b'), token + 1)
  })

  it('[P3] tokens go on increasing when all data were lost, after a grace', async () => {
    const tokens: number[] = []
    for (const id of ['a', 'b', 'c']) {
      await store.acquire(acquiring(id))
      const step = runStep(id, { leaseMs: 50 })
      const first = await store.advance(step)
      assert.equal(first.outcome, id === 'a' ? 'granted' : 'recovering')
      const granted = await until(
        async () => {
          const answer = await store.advance(step)
          return answer.outcome === 'granted' ? answer : undefined
        },
        { what: 'the end of the grace' },
      )
      tokens.push(granted.token)
      await withRedis(server, (redis) => redis.flushall())
    }
    assert.deepEqual(
      tokens,
      [...tokens].sort((a, b) => a - b),
    )
    assert.equal(new Set(tokens).size, 3)
  })

  it('holders, parked calls and tokens are there after a restart', async () => {
    await store.acquire(acquiring('a'))
    await store.acquire(acquiring('b', parking))
    const token = await runOf(store, 'a', 60_000)
    await server.restart()
    assert.deepEqual((await store.renew({ worker: null, leases: [renewal('a', token)], acked: [] })).leases.length, 1)
    const ended = await store.release(releasing('a', token))
    assert.ok(ended.outcome === 'released')
    assert.equal(ended.promotion?.messageId, 'b')
  })

  it("scripts that the server forgot are loaded again, one shard's and many shards'", async () => {
    const flush = (): Promise<unknown> => withRedis(server, (redis) => redis.script('FLUSH'))
    await store.acquire(acquiring('a'))
    await flush()
    assert.equal((await store.acquire(acquiring('b'))).outcome, 'refused')
    await flush()
    assert.deepEqual((await store.sweep({ limit: 10, publishLeaseMs: 1_000, resultMs: 1_000 })).doubts, [])
  })

  it('an idle key leaves nothing behind but its outcomes and the last token', async () => {
    await store.acquire(acquiring('a'))
    await store.acquire(acquiring('b', parking))
    await store.release(releasing('a', await runOf(store, 'a')))
    await store.confirm([refTo('b')])
    await store.release(releasing('b', await runOf(store, 'b')))
    assert.deepEqual(await kinds(server), ['apps', 'epoch', 'format', 'message', 'outcomes', 'token'])
  })

  it('destroy leaves the key space of its app empty, and only that', async () => {
    const schedule = await openScheduleStore({ app: 'shop', url: server.url, server: 'here' })
    const other = await openLockStore({ app: 'shop:lock', url: server.url, server: 'here' })
    try {
      await other.acquire(acquiring('x'))
      const others = (name: string) => !name.includes(':shop:')
      const kept = await withRedis(server, async (redis) => (await redis.keys('*')).filter(others).length)
      await fill(store)
      const put = (name: string) => ({ name, spec: '{}', config: null, maxRuns: null })
      await schedule.put(['a', 'b', 'c'].map(put), 'add')
      await schedule.destroy()
      await store.destroy()
      assert.equal(await withRedis(server, (redis) => redis.dbsize()), kept)
      await other.destroy()
      assert.deepEqual(await withRedis(server, (redis) => redis.keys('*')), [])
    } finally {
      await schedule.close()
      await other.close()
    }
  })
})

/** Another key in the same shard. */
function beside(key: LockKey): LockKey {
  for (let n = 0; ; n += 1) {
    const other = lockKey(TASK, `[beside ${n}]`)
    if (shardNumber('shop', other) === shardNumber('shop', key)) return other
  }
}

async function runOf(store: LockStore, messageId: string, leaseMs = 10_000): Promise<number> {
  const answer = await store.advance(runStep(messageId, { leaseMs }))
  assert.ok(answer.outcome === 'granted')
  return answer.token
}

async function fill(store: LockStore): Promise<void> {
  for (let n = 0; n < 100; n += 1) {
    const key: LockKey = lockKey(TASK, `[${n}]`)
    await store.acquire(acquiring(`a${n}`, { key }))
    await store.acquire(acquiring(`b${n}`, { key, ...parking }))
    await store.advance(runStep(`a${n}`, { key }))
    await store.release({ ...releasing(`c${n}`, null), key })
  }
  const worker = {
    app: 'shop',
    name: 'w1',
    host: 'h',
    pid: 1,
    queues: [],
    tasks: [],
    guards: {},
    version: '0',
    concurrency: 1,
  }
  await store.renew({ worker: { ...worker, startedAt: 0, seenAt: 0 }, leases: [], acked: [] })
  const definition = { keys: null, params: null, defaults: null, limit: 1, mode: 'untilExecuted' } as const
  await store.define({
    t: {
      ...definition,
      timeoutMs: 1,
      keep: 'first',
      maxParked: 1_000,
      minRunMs: 0,
      overlap: 'skip',
      redact: false,
      opaque: false,
    },
  })
}

/** The word in a key's name that says what it is. */
function kindOf(name: string): string {
  return name.replace(/^\{bl:\d+\}:(shop:lock:)?/, '').replace(/:.*$/, '')
}

async function kinds(server: RedisServer): Promise<string[]> {
  const names = await withRedis(server, (redis) => redis.keys('*'))
  return [...new Set(names.map(kindOf))].sort()
}

/** Seconds that are left, rounded up, of what has a lifetime. */
async function lifetimes(server: RedisServer): Promise<Record<string, number>> {
  return withRedis(server, async (redis) => {
    const left: Record<string, number> = {}
    for (const name of await redis.keys('*')) {
      const ms = await redis.pttl(name)
      if (ms >= 0) left[kindOf(name)] = Math.ceil(ms / 10_000) * 10
    }
    return left
  })
}
