import assert from 'node:assert/strict'
import { crontab } from '../../src/beat/crontab.js'
import type { Fire } from '../../src/beat/entry.js'
import { every } from '../../src/beat/every.js'
import { slotId } from '../../src/beat/slot-id.js'
import { BrokerUnavailable, StoreUnavailable, UsageError } from '../../src/lock/error.js'
import { PublishUnknown } from '../../src/task-base/error.js'
import { BeatBench, entryOf, type Published, START } from './beat-bench.js'

const ROLLUP = entryOf('rollup', every('1s'))

describe('the scheduler', () => {
  it('[P15] fires a new entry from its next slot on, and says how long to sleep until then', async () => {
    const bench = new BeatBench(START + 300)
    const beat = await bench.beat([ROLLUP])
    assert.equal(await beat.tick(), 700)
    bench.now = START + 999
    assert.equal(await beat.tick(), 1)
    assert.deepEqual(bench.slots, [])
    bench.now = START + 1_000
    assert.equal(await beat.tick(), 1_000)
    assert.deepEqual(bench.slots, [1_000])
    assert.deepEqual(bench.events['beat:decided'], [decided(bench.published[0], { lateMs: 0 })])
  })

  it('sleeps at most maxIntervalMs, and as long when nothing will ever be due', async () => {
    const bench = new BeatBench()
    const never = { next: () => undefined }
    assert.equal(await (await bench.beat([entryOf('daily', crontab({ minute: 0, hour: 3 }))])).tick(), 5_000)
    assert.equal(await (await bench.beat([entryOf('once', never)], { maxIntervalMs: 700 })).tick(), 700)
  })

  it('[P15] waits when its estimate of the clock runs ahead of the store', async () => {
    const bench = new BeatBench()
    const beat = await bench.beat([ROLLUP], { now: () => bench.now + 400 })
    bench.now = START + 700
    assert.equal(await beat.tick(), 300, 'claimed, but held back')
    assert.deepEqual(bench.slots, [])
    bench.now = START + 1_000
    await beat.tick()
    assert.deepEqual(bench.slots, [1_000])
  })

  it('tells once that the clock was set back, since its entries rest until it has caught up', async () => {
    const bench = new BeatBench()
    let monotonic = 1_000
    const { leaderless } = bench
    // The memory store never goes back; a server's clock does.
    let storeNow = START
    const now = async () => storeNow
    const attend: typeof leaderless.attend = async (of) => ({ ...(await leaderless.attend(of)), now: storeNow })
    const stepping = { ...leaderless, now, attend }
    const beat = await bench.beat([entryOf('yearly', every('365d'))], { monotonic: () => monotonic, store: stepping })
    for (const stepMs of [61_000, 61_000 - 3_600_000, 61_000, 61_000]) {
      monotonic += 61_000
      storeNow += stepMs
      await beat.tick()
    }
    const troubles = bench.events['beat:trouble'].map(({ error }) => error.message)
    assert.deepEqual(troubles, ["the store's clock was set back by 1h: entries rest until it has caught up"])
  })

  it('tells once that the clock went ahead or this host slept: what came due goes by catchUp', async () => {
    const bench = new BeatBench()
    let monotonic = 1_000
    const beat = await bench.beat([entryOf('rollup', every('1s'))], { monotonic: () => monotonic })
    for (const [passedMs, stepMs] of [
      [1_000, 1_000],
      // A suspended host's monotonic clock stands still.
      [1_000, 3_601_000],
      [1_000, 1_000],
    ] as const) {
      monotonic += passedMs
      bench.now += stepMs
      await beat.tick()
    }
    const troubles = bench.events['beat:trouble'].map(({ error, retryInMs }) => [error.message, retryInMs])
    const told =
      "the store's clock is 1h ahead, or this host slept: what came due meanwhile goes by each entry's catchUp"
    assert.deepEqual(troubles, [[told, 0]])
    assert.deepEqual(bench.slots, [1_000, 3_602_000, 3_603_000])
  })

  it('hands fire a message id of entry and slot, and the last moment to send', async () => {
    const bench = new BeatBench()
    const beat = await bench.beat([ROLLUP])
    bench.now = START + 1_040
    await beat.tick()
    const messageId = slotId('rollup', START + 1_000)
    assert.match(messageId, /^b-[0-9a-f]{32}-1767225601000$/)
    const publishBefore = bench.now + 9_000
    assert.deepEqual(bench.published, [{ by: 'b1', entry: 'rollup', nominal: START + 1_000, messageId, publishBefore }])
    assert.equal(bench.events['beat:decided'][0]?.lateMs, 40)
  })

  it('[P16] runs the latest of the slots that came due while it was away, and records the others as missed', async () => {
    const bench = new BeatBench()
    const beat = await bench.beat([ROLLUP])
    bench.now = START + 60_500
    await beat.tick()
    assert.deepEqual(bench.slots, [60_000])
    const [published, missed] = await bench.store.history('rollup', 10)
    assert.deepEqual([published?.decision, published?.slots], ['published', 1])
    assert.deepEqual([missed?.decision, missed?.slots, missed?.nominal], ['missed', 59, START + 59_000])
    assert.deepEqual(bench.events['beat:missed'], [{ entry: 'rollup', slots: 59, latest: START + 59_000, exact: true }])
  })

  it('records a skip with its holder', async () => {
    const bench = new BeatBench()
    const holder = { id: '01HX', stage: 'running', worker: 'w1@db2', since: START, token: 7 } as const
    const beat = await bench.beat([ROLLUP], { answer: { decision: 'skipped', holder } })
    bench.now = START + 1_000
    await beat.tick()
    const [row] = await bench.store.history('rollup', 1)
    assert.deepEqual([row?.decision, row?.holder], ['skipped', '01HX'])
    assert.deepEqual(bench.events['beat:decided'], [
      decided(bench.published[0], { decision: 'skipped', holder, lateMs: 0 }),
    ])
  })

  it('decides nothing while a server does not answer, and tries the slot again under its id', async () => {
    const bench = new BeatBench()
    const failures = [new BrokerUnavailable('db:6379', 'refused'), new PublishUnknown('b-1', undefined)]
    const sent: string[] = []
    const fire: Fire<null> = async (_entry, slot) => {
      sent.push(slot.messageId)
      const failure = failures.shift()
      if (failure) throw failure
      return { decision: 'published', holder: null }
    }
    const beat = await bench.beat([ROLLUP], { fire })
    bench.now = START + 1_000
    await assert.rejects(beat.tick(), BrokerUnavailable)
    assert.deepEqual(await bench.store.history('rollup', 1), [])
    await assert.rejects(beat.tick(), PublishUnknown)
    await beat.tick()
    assert.deepEqual(sent, Array(3).fill(slotId('rollup', START + 1_000)))
    assert.equal((await bench.store.history('rollup', 9)).length, 1)
  })

  it("knows a server's absence from an error of another copy of the package, and loses no slot to it", async () => {
    const bench = new BeatBench()
    const failures = ['BROKER_UNAVAILABLE', 'PUBLISH_UNKNOWN', 'STORE_UNAVAILABLE']
    const fire: Fire<null> = async () => {
      const code = failures.shift()
      if (code) throw Object.assign(new Error('no answer'), { code })
      return { decision: 'published', holder: null }
    }
    const beat = await bench.beat([ROLLUP], { fire })
    bench.now = START + 1_000
    for (const code of [...failures]) await assert.rejects(beat.tick(), { code })
    await beat.tick()
    assert.equal((await bench.store.history('rollup', 9))[0]?.decision, 'published')
  })

  it('decides a slot as an error when its entry cannot be published, and goes on', async () => {
    const bench = new BeatBench()
    const broken = new UsageError('argument 0 is a Map.')
    const beat = await bench.beat([ROLLUP], { fire: () => Promise.reject(broken) })
    bench.now = START + 1_000
    assert.equal(await beat.tick(), 1_000)
    assert.equal((await bench.store.history('rollup', 1))[0]?.decision, 'error')
    assert.equal(bench.events['beat:decided'][0]?.error, broken)
  })

  it('publishes a slot once when the reply to its claim was lost', async () => {
    const bench = new BeatBench()
    let lost = 0
    const store: typeof bench.store = {
      ...bench.leaderless,
      reserve: async (request) => {
        const answer = await bench.store.reserve(request)
        if (lost++ === 0) throw new StoreUnavailable('db:5432', 'the reply was lost')
        return answer
      },
    }
    const beat = await bench.beat([ROLLUP], { store })
    bench.now = START + 1_000
    await assert.rejects(beat.tick(), StoreUnavailable)
    bench.now = START + 2_500
    await beat.tick()
    assert.deepEqual(bench.slots, [1_000], 'the claim in the store is its own: no later slot passes it')
    assert.equal(bench.published[0]?.publishBefore, START + 10_000, 'counted from the claim, not from its repetition')
    await beat.tick()
    assert.deepEqual(bench.slots, [1_000, 2_000])
  })

  it('does not publish again when only the decision could not be written', async () => {
    const bench = new BeatBench()
    let lost = 0
    const store: typeof bench.store = {
      ...bench.leaderless,
      decide: async (decision) => {
        if (lost++ === 0) throw new StoreUnavailable('db:5432', 'refused')
        return bench.store.decide(decision)
      },
    }
    const beat = await bench.beat([ROLLUP], { store })
    bench.now = START + 1_000
    await assert.rejects(beat.tick(), StoreUnavailable)
    await beat.tick()
    assert.deepEqual(bench.slots, [1_000])
    assert.equal((await bench.store.history('rollup', 9)).length, 1)
  })

  it('lets an entry whose schedule goes wrong rest, and serves the others', async () => {
    const bench = new BeatBench()
    const stuck = { next: (after: number) => after }
    const beat = await bench.beat([entryOf('stuck', stuck), ROLLUP])
    bench.now = START + 1_000
    await beat.tick()
    assert.deepEqual(bench.slots, [1_000])
    const [trouble, ...more] = bench.events['beat:trouble']
    assert.deepEqual([trouble?.entry, trouble?.retryInMs, more.length], ['stuck', 30_000, 0])
    assert.match(trouble?.error.message ?? '', /schedule of entry stuck answered .*write one that/)
  })

  it('asks no schedule and no store in an idle tick, however many entries there are', async () => {
    const bench = new BeatBench()
    let asked = 0
    const hourly = every('1h')
    const counted = {
      next: (after: number, zone: string) => {
        asked++
        return hourly.next(after, zone)
      },
    }
    const entries = Array.from({ length: 20_000 }, (_, index) => entryOf(`entry ${index}`, counted))
    const beat = await bench.beat(entries)
    asked = 0
    for (let tick = 0; tick < 100; tick++) assert.equal(await beat.tick(), 5_000)
    assert.equal(asked, 0)
  })

  it('serves many slots at once, two hundred at a time', async () => {
    const bench = new BeatBench()
    let [running, most, total] = [0, 0, 0]
    const fire: Fire<null> = async () => {
      most = Math.max(most, ++running)
      await new Promise(setImmediate)
      running--
      total++
      return { decision: 'published', holder: null }
    }
    const entries = Array.from({ length: 1_000 }, (_, index) => entryOf(`entry ${index}`, every('1m')))
    const beat = await bench.beat(entries, { fire })
    bench.now = START + 60_000
    await beat.tick()
    assert.deepEqual([total, most], [1_000, 200])
  })

  it('begins nothing more in a pass once a server did not answer', async () => {
    const bench = new BeatBench()
    let tried = 0
    const fire: Fire<null> = () => Promise.reject(new BrokerUnavailable('db:6379', `refused ${++tried}`))
    const entries = Array.from({ length: 500 }, (_, index) => entryOf(`entry ${index}`, every('1m')))
    const beat = await bench.beat(entries, { fire })
    bench.now = START + 60_000
    await assert.rejects(beat.tick(), BrokerUnavailable)
    assert.equal(tried, 200)
  })
})

function decided(published: Published | undefined, rest: object): object {
  assert.ok(published)
  const { entry, nominal, messageId } = published
  return { entry, nominal, messageId, decision: 'published', holder: null, error: null, ...rest }
}
