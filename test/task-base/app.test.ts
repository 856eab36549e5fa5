import assert from 'node:assert/strict'
import { AlreadyQueued, App, crontab, ParkedFull, QueueOnce, Rejected, Task } from '../../src/index.js'

class Refresh extends QueueOnce {
  readonly name = 'feeds.refresh'
  readonly defaults = { full: false }
  readonly once = { keys: ['feedId'], timeout: '1h' } as const
  run(feed: { feedId: number; full?: boolean }): number {
    return feed.feedId
  }
}

class Twice extends QueueOnce {
  readonly name = 'feeds.twice'
  readonly once = { keys: [], limit: 2, overlap: 'queue', maxParked: 1 } as const
  run(feed: number): number {
    return feed
  }
}

class Plain extends Task {
  readonly name = 'plain'
  run(x: number): number {
    return x
  }
}

function nodes(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `redis://h${at + 1}:7001`)
}

/** [what, what to do, what the sentence says] */
const REFUSED: readonly [string, (app: App) => unknown, RegExp][] = [
  [
    'an unknown app option',
    () => new App('x', { brokr: 'memory:' } as object),
    /app 'x' has no option 'brokr'; did you mean .broker/,
  ],
  ['a bad app name', () => new App('a b'), /app's name/],
  ['a bad zone', () => new App('x', { timezone: 'Europe/Berln' }), /timezone .* did you mean .Europe\/Berlin/],
  [
    'no replica to wait for',
    () => new App('x', { locks: { waitReplicas: { count: 0 } } }),
    /locks\.waitReplicas\.count must be a whole number from 1 to 10, got 0/,
  ],
  [
    'a long wait for replicas',
    () => new App('x', { locks: { waitReplicas: { count: 1, timeout: '2s' } } }),
    /locks\.waitReplicas\.timeout must be 1500ms at most, got "2s"/,
  ],
  [
    'a wait for replicas that is none',
    () => new App('x', { locks: { waitReplicas: 1 as never } }),
    /locks\.waitReplicas must be an object such as \{ count: 1, timeout: '1s' \}, got 1/,
  ],
  ['a short lease', () => new App('x', { locks: { lease: '1s' } }), /locks\.lease.*5 ?s/],
  ...(
    [
      [{ quorum: [] }, /locks\.barrier\.quorum needs at least 3 independent nodes, got 0/],
      [{ quorum: nodes(4) }, /needs an odd number of nodes, got 4: .*name 3 or 5/],
      [{ quorum: [...nodes(2), 'redis://:s3cret@h1:7001/2'] }, /names h1:7001 twice: votes of one server/],
      [{ quorum: [...nodes(2), 'redis://h9'] as never, nodes: 3 }, /has no option 'nodes'/],
      [
        { quorum: [...nodes(2), 'postgres://:s3cret@h9/db'] },
        /quorum\[2\] must be a Redis URL .*got 'postgres:\/\/h9\/db'/,
      ],
      [
        { quorum: [...nodes(2), 'redis://:s3cret@h9/shop'] },
        /quorum\[2\] \(h9:6379\): the path .* number of a database/,
      ],
      [{ quorum: [...nodes(2), 'redis://:s3cret@h9?tls=1'] }, /quorum\[2\] \(h9:6379\): .*no parameters/],
      [{ quorum: [...nodes(2), 7] }, /quorum\[2\] must be a Redis URL .*got number/],
      [{ quorum: 'redis://h1' }, /quorum must be an array of Redis URLs, got string/],
      [{ nodes: nodes(3) }, /locks\.barrier must be 'auto', 'none' or \{ quorum: .*got an object without quorum/],
      ['quorum', /must be 'auto', 'none' or \{ quorum: .*got "quorum"/],
    ] as const
  ).map(([barrier, sentence]): (typeof REFUSED)[number] => [
    `the barrier ${JSON.stringify(barrier)}`,
    () => {
      try {
        new App('x', { locks: { barrier: barrier as never } })
      } catch (error) {
        assert.doesNotMatch((error as Error).message, /s3cret/)
        throw error
      }
    },
    sentence,
  ]),
  [
    'an entry with an unknown field',
    () => new App('x', { beatSchedule: { a: { task: 't', schedul: '5m' } as never } }),
    /'schedul'; did you mean .schedule/,
  ],
  ...(
    [
      [{ kwargs: 5 }, /kwargs must be an object .*got 5/],
      [{ kwargs: [7] }, /kwargs must be an object .*got \[7\]/],
      [{ options: 'reports' }, /options must be an object .*got "reports"/],
      [{ options: { id: 'mine' } }, /options has an id, but each slot has its own/],
      [{ options: { once: { overlap: 'skip' } } }, /options has once, which is a field of the entry/],
    ] as const
  ).map(([fields, sentence]): (typeof REFUSED)[number] => [
    `an entry with ${JSON.stringify(fields)}`,
    () => new App('x', { beatSchedule: { a: { task: 't', schedule: '5m', ...fields } as never } }),
    sentence,
  ]),
  [
    'two tasks of one name',
    (app) => [app.register(Refresh), app.register(Refresh)],
    /two tasks are named 'feeds\.refresh'/,
  ],
  [
    'two entries of one name',
    (app) => ['5m', '6m'].map((text) => app.addPeriodicTask(text, { task: 't', args: [] })),
    /two beat entries are named 't'/,
  ],
  ['a class that is no task', (app) => app.register(class {} as never), /extends Task/],
  [
    'a misspelt field',
    (app) =>
      app.register(
        class extends Refresh {
          readonly onec = {}
        } as never,
      ),
    /field 'onec'; did you mean .once/,
  ],
]

describe('App', () => {
  let app: App
  beforeEach(() => {
    app = new App('shop', { broker: 'memory:' })
  })
  afterEach(() => app.close())

  for (const [what, act, sentence] of REFUSED) {
    it(`refuses ${what} with a sentence`, () => {
      assert.throws(
        () => act(app),
        (error: Error & { code: string }) => sentence.test(error.message) && error.code === 'USAGE',
      )
    })
  }

  it('refuses bad calls before anything is sent', async () => {
    const refresh = app.register(Refresh)
    const bad: [() => Promise<unknown>, RegExp][] = [
      [
        () => refresh.applyAsync([{ feedId: 1 }], { countdwn: 1 } as object),
        /no option 'countdwn'; did you mean .countdown/,
      ],
      [() => refresh.applyAsync([{ feedId: 1 }], { id: 'a:b' }), /id must be/],
      [() => refresh.applyAsync([{ feedId: 1 }], { priority: -1 }), /priority/],
      [() => refresh.applyAsync([{ feedId: 1 }], { eta: new Date(Number.NaN) }), /eta must be a valid Date/],
      [() => refresh.applyAsync([{ feedId: 1 }], { countdown: 1, eta: new Date() }), /both countdown and eta/],
      [() => refresh.delay({ feedId: Number.NaN }), /args\[0\]\.feedId is NaN/],
      [() => refresh.delay({ feedId: 1, note: 'x'.repeat(17_000_000) } as never), /more than 16777216/],
    ]
    for (const [act, sentence] of bad) await assert.rejects(act, (error: Error) => sentence.test(error.message))
    const { lockStore, engine } = (await app.connection()).servers
    for await (const row of lockStore.list({})) assert.fail(`${row.key} is locked`)
    assert.deepEqual(await engine.counts('default'), { waiting: 0, delayed: 0, active: 0 })
  })

  it('[P12] raises AlreadyQueued with key and holder for a second call of a key', async () => {
    const refresh = app.register(Refresh)
    const first = await refresh.delay({ feedId: 7 })
    await assert.rejects(refresh.delay({ feedId: 7 }), (error: AlreadyQueued) => {
      assert.ok(error instanceof AlreadyQueued)
      assert.equal(error.holder.id, first.id)
      assert.match(error.key, /^feeds\.refresh:/)
      assert.ok(error.remainingMs > 0)
      return true
    })
    assert.equal((await refresh.delay({ feedId: 8 })).outcome, 'published')
  })

  it('answers rejected with the holder under skip; get() throws Rejected', async () => {
    const refresh = app.register(Refresh)
    const first = await refresh.delay({ feedId: 7 })
    const second = await refresh.applyAsync([{ feedId: 7 }], { once: { overlap: 'skip' } })
    assert.equal(second.outcome, 'rejected')
    assert.equal(second.holder?.id, first.id)
    assert.equal(await second.state(), 'REJECTED')
    await assert.rejects(second.get(), Rejected)
  })

  it('parks one deferred call and coalesces the next into it', async () => {
    const refresh = app.register(Refresh)
    await refresh.delay({ feedId: 7 })
    const defer = { once: { overlap: 'defer' } } as const
    const second = await refresh.applyAsync([{ feedId: 7 }], defer)
    const third = await refresh.applyAsync([{ feedId: 7 }], defer)
    assert.deepEqual([second.outcome, third.outcome], ['parked', 'coalesced'])
    assert.equal(await third.state(), 'PENDING')
  })

  it('lets every call of allow and of a plain Task through, without a lock', async () => {
    const refresh = app.register(Refresh)
    const plain = app.register(Plain)
    for (let i = 0; i < 3; i++) {
      assert.equal((await refresh.applyAsync([{ feedId: 7 }], { once: { overlap: 'allow' } })).outcome, 'published')
      assert.equal((await plain.delay(1)).outcome, 'published')
    }
    for await (const lock of app.locks.list()) assert.fail(`${lock.key} is listed`)
  })

  it('[P21] the same id twice is one call', async () => {
    const refresh = app.register(Refresh)
    const one = await refresh.applyAsync([{ feedId: 7 }], { id: 'only-once' })
    const two = await refresh.applyAsync([{ feedId: 7 }], { id: 'only-once' })
    assert.deepEqual([one.outcome, two.outcome], ['published', 'published'])
    const { engine } = (await app.connection()).servers
    assert.equal((await engine.counts('default')).waiting, 1)
  })

  it('guards a call by name with what workers have told of the task', async () => {
    const other = new App('shop', { broker: 'memory:' })
    other.register(Refresh)
    const connection = await app.connection()
    await connection.store.define(other.guardDefinitions())
    await app.sendTask('feeds.refresh', [{ feedId: 7 }])
    await assert.rejects(app.sendTask('feeds.refresh', [{ feedId: 7, full: false }]), AlreadyQueued)
  })

  it('[P1] guards a call by name with the limit, policy and capacity that workers have told', async () => {
    const other = new App('shop', { broker: 'memory:' })
    other.register(Twice)
    const connection = await app.connection()
    await connection.store.define(other.guardDefinitions())
    const outcomes: string[] = []
    for (let n = 0; n < 3; n += 1) outcomes.push((await app.sendTask('feeds.twice', [n])).outcome)
    assert.deepEqual(outcomes, ['published', 'published', 'parked'])
    await assert.rejects(app.sendTask('feeds.twice', [3]), (error: ParkedFull) => {
      assert.deepEqual([error.code, error.maxParked], ['PARKED_FULL', 1])
      return error instanceof ParkedFull
    })
  })

  it('[P12] tells in the history of a key that its hold was cleared', async () => {
    const refresh = app.register(Refresh)
    const { id, key } = await refresh.delay({ feedId: 7 })
    await app.locks.clear(key ?? '', { by: 'ada' })
    const [event] = (await app.locks.show(key ?? ''))?.history ?? []
    assert.deepEqual([event?.event, event?.messageId, event?.by], ['cleared', id, 'ada'])
  })

  it('[P10] revokes a queued call: its key is free, its result says so, and the next parked call goes out', async () => {
    const refresh = app.register(Refresh)
    const first = await refresh.delay({ feedId: 7 })
    const second = await refresh.applyAsync([{ feedId: 7 }], { once: { overlap: 'defer' } })
    const told: string[] = []
    app.on('call:revoked', ({ id, outcome }) => told.push(`${id} ${outcome}`))
    app.on('call:promoted', ({ id }) => told.push(`${id} promoted`))
    assert.deepEqual(await app.revoke(first), { outcome: 'revoked' })
    assert.deepEqual(told, [`${second.id} promoted`, `${first.id} revoked`])
    assert.equal(await first.state(), 'REVOKED')
    assert.deepEqual(await app.revoke(first.id), { outcome: 'revoked' })
  })

  it('revokes a call without a lock by its id, before anybody has seen it, and answers a repeat alike', async () => {
    const plain = app.register(Plain)
    const { id } = await plain.delay(1)
    assert.deepEqual(await app.revoke(id), { outcome: 'revoked' })
    assert.deepEqual(await app.revoke(id, { task: 'plain' }), { outcome: 'revoked' })
    assert.deepEqual(await app.revoke(id, { task: 'plain' }), { outcome: 'revoked' })
  })

  it('a call by name that nobody knows travels without a hold', async () => {
    const result = await app.sendTask('unknown.task', [1])
    assert.equal(result.outcome, 'published')
    for await (const lock of app.locks.list()) assert.fail(`${lock.key} is listed`)
  })

  it('lists, shows and clears a queued call', async () => {
    const refresh = app.register(Refresh)
    const { id } = await refresh.delay({ feedId: 7 })
    const { value: lock } = await app.locks.list().next()
    assert.ok(lock)
    assert.equal(lock.holder, id)
    assert.equal(lock.label, 'feeds.refresh feedId=7')
    assert.equal((await app.locks.show(lock.key))?.holders.length, 1)
    const answer = await app.locks.clear(lock.key)
    assert.deepEqual(
      answer.freed.map((holder) => holder.id),
      [id],
    )
    assert.equal((await refresh.delay({ feedId: 7 })).outcome, 'published')
  })

  it('takes functions as tasks, and entries by addPeriodicTask', () => {
    const ping = app.task('ping', { once: { keys: ['host'] } }, (target: { host: string }) => target.host)
    const name = app.addPeriodicTask(crontab({ minute: '*/5' }), ping.s({ host: 'a' }), { once: { overlap: 'defer' } })
    assert.equal(name, 'ping')
    assert.deepEqual(app.entries.get('ping')?.args, [{ host: 'a' }])
  })
})
