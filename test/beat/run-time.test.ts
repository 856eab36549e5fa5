import assert from 'node:assert/strict'
import type { Fire } from '../../src/beat/entry.js'
import { every } from '../../src/beat/every.js'
import { merging } from '../../src/beat/merge.js'
import type { Scheduler } from '../../src/beat/scheduler.js'
import { slotId } from '../../src/beat/slot-id.js'
import { BrokerUnavailable, StoreUnavailable } from '../../src/lock/error.js'
import { BeatBench, entryOf, putOf, START } from './beat-bench.js'

const ROLLUP = entryOf('rollup', every('1s'))
const HOURLY = entryOf('hourly', every('1h'))
const POLL = { pollMs: 500 } as const

describe('entries at run time', () => {
  it('one that is added is served within a poll, one that is removed no more', async () => {
    const bench = new BeatBench()
    const beat = await bench.beat([], { ...POLL, entryOf: ({ name }) => ({ ...ROLLUP, name }) })
    await bench.store.put([putOf('late')], 'add')
    await passUntil(bench, beat, 3_100)
    assert.deepEqual(bench.slots, [1_000, 2_000, 3_000])
    await bench.store.alter('late', { to: 'removed', config: null })
    await passUntil(bench, beat, 6_000)
    assert.deepEqual(bench.slots, [1_000, 2_000, 3_000])
  })

  it('reads again only the entries that changed, however many there are', async () => {
    const bench = new BeatBench()
    const entries = Array.from({ length: 2_000 }, (_, n) => entryOf(`entry ${n}`, every('1h')))
    const read: string[] = []
    const names = new Map(entries.map((entry) => [entry.name, entry]))
    const beat = await bench.beat(entries, {
      ...POLL,
      entryOf: ({ name }) => {
        read.push(name)
        return names.get(name)
      },
    })
    read.length = 0
    await bench.store.alter('entry 7', { to: 'disabled' })
    bench.now += 1_000
    await beat.tick()
    await beat.tick()
    assert.deepEqual(read, ['entry 7'])
  })

  it('[P14] a change that a beat has not heard of is in force all the same', async () => {
    const bench = new BeatBench()
    const beat = await bench.beat([ROLLUP])
    await bench.store.alter('rollup', { to: 'paused', why: null })
    bench.now = START + 2_500
    await beat.tick()
    assert.deepEqual(bench.slots, [])
    await bench.store.alter('rollup', { to: 'disabled' })
    await bench.store.alter('rollup', { to: 'enabled' })
    bench.now = START + 4_000
    await beat.tick()
    assert.deepEqual(bench.slots, [], 'it heard of the pause, and not yet of its end')
  })

  for (const from of ['now', 'pausedAt'] as const) {
    it(`[P14] slots that came due in a pause are ${from === 'now' ? 'paused' : 'caught up with'} on resume from ${from}`, async () => {
      const bench = new BeatBench()
      const beat = await bench.beat([ROLLUP], POLL)
      await passUntil(bench, beat, 2_100)
      await bench.store.alter('rollup', { to: 'paused', why: null })
      await passUntil(bench, beat, 10_100)
      await bench.store.alter('rollup', { to: 'resumed', from })
      await passUntil(bench, beat, 12_100)
      const counts = (await bench.store.show('rollup'))?.counts
      if (from === 'now') {
        assert.deepEqual(bench.slots, [1_000, 2_000, 11_000, 12_000])
        assert.deepEqual(counts, { published: 4, paused: 8 })
      } else {
        assert.deepEqual(bench.slots, [1_000, 2_000, 10_000, 11_000, 12_000])
        assert.deepEqual(counts, { published: 5, missed: 7 })
      }
    })
  }

  it('[P14] a run that is asked for goes out once, beside the slots, also of an entry that is disabled', async () => {
    const bench = new BeatBench()
    const beats = [await bench.beat([HOURLY], POLL), await bench.beat([HOURLY], { ...POLL, by: 'b2' })]
    await bench.store.alter('hourly', { to: 'disabled' })
    bench.now = START + 5_000
    await bench.store.alter('hourly', { to: 'asked' })
    for (const step of [0, 600, 1_200]) {
      bench.now = START + 5_000 + step
      await Promise.all(beats.map((beat) => beat.tick()))
    }
    assert.deepEqual(bench.slots, [5_000])
    assert.deepEqual((await bench.store.show('hourly'))?.counts, { published: 1 })
    await bench.store.alter('hourly', { to: 'enabled' })
    bench.now = START + 3_600_000
    for (const beat of [...beats, ...beats]) await beat.tick()
    assert.deepEqual(bench.slots, [5_000, 3_600_000])
  })

  it('ends with maxRuns, exactly', async () => {
    const bench = new BeatBench()
    await bench.store.put([putOf('rollup', { maxRuns: 2 })], 'add')
    const beats = [await bench.beat([ROLLUP], POLL), await bench.beat([ROLLUP], { ...POLL, by: 'b2' })]
    for (let at = 0; at <= 6_000; at += 250) {
      bench.now = Math.max(bench.now, START + at)
      await Promise.all(beats.map((beat) => beat.tick()))
    }
    assert.deepEqual(bench.slots, [1_000, 2_000])
    assert.equal((await bench.store.show('rollup'))?.state, 'finished')
  })

  it('[P16] drops what is too late without a run, and counts it', async () => {
    const bench = new BeatBench()
    const entry = { ...ROLLUP, schedule: every('1m'), catchUp: { windowMs: 5_000, limit: 1 } }
    const beat = await bench.beat([entry])
    bench.now = START + 600_000 + 20_000
    await beat.tick()
    assert.deepEqual(bench.slots, [])
    assert.deepEqual((await bench.store.show('rollup'))?.counts, { missed: 10 })
    assert.deepEqual(bench.events['beat:missed'], [
      { entry: 'rollup', slots: 10, latest: START + 600_000, exact: true },
    ])
    bench.now = START + 660_000
    await beat.tick()
    assert.deepEqual(bench.slots, [660_000])
  })

  it('[P16] makes up all slots of a downtime in order, up to the limit', async () => {
    const bench = new BeatBench()
    const entry = { ...ROLLUP, catchUp: { windowMs: Number.POSITIVE_INFINITY, limit: 3 } }
    const beat = await bench.beat([entry])
    bench.now = START + 10_500
    for (let pass = 0; pass < 5; pass += 1) await beat.tick()
    assert.deepEqual(bench.slots, [8_000, 9_000, 10_000])
    assert.deepEqual((await bench.store.show('rollup'))?.counts, { missed: 7, published: 3 })
  })

  it('pauses after a failure where the entry says so, before the next slot', async () => {
    const bench = new BeatBench()
    const asked: string[] = []
    const endOf = async (id: string) => ({ failed: asked.push(id) === 2, at: bench.now })
    const beat = await bench.beat([{ ...ROLLUP, pauseOnFailure: true }], { ...POLL, endOf })
    await passUntil(bench, beat, 6_000)
    assert.deepEqual(bench.slots, [1_000, 2_000])
    assert.deepEqual(asked, [slotId('rollup', START + 1_000), slotId('rollup', START + 2_000)])
    const row = await bench.store.show('rollup')
    assert.deepEqual([row?.state, row?.pausedWhy], ['paused', `the run ${asked[1]} failed`])
  })

  it('goes on when it is resumed after a failure, until the next one fails', async () => {
    const bench = new BeatBench()
    const failing = new Map([1_000, 6_000].map((at) => [slotId('rollup', START + at), START + at + 100]))
    const endOf = async (id: string) => ({ failed: failing.has(id), at: failing.get(id) ?? bench.now })
    const beat = await bench.beat([{ ...ROLLUP, pauseOnFailure: true }], { ...POLL, endOf })
    await passUntil(bench, beat, 4_200)
    await bench.store.alter('rollup', { to: 'resumed', from: 'now' })
    await passUntil(bench, beat, 9_000)
    assert.deepEqual(bench.slots, [1_000, 5_000, 6_000])
    assert.match((await bench.store.show('rollup'))?.pausedWhy ?? '', /^the run b-/)
  })

  it('[P14] what came due in a pause stays paused when the store did not answer at the resume', async () => {
    const bench = new BeatBench()
    const { leaderless } = bench
    let lost = 0
    const pass: typeof bench.store.pass = async (request) => {
      if (lost++ === 0) throw new StoreUnavailable('db:5432', 'refused')
      return bench.store.pass(request)
    }
    const beat = await bench.beat([ROLLUP], { ...POLL, store: { ...leaderless, pass } })
    await bench.store.alter('rollup', { to: 'paused', why: null })
    await passUntil(bench, beat, 5_500)
    await bench.store.alter('rollup', { to: 'resumed', from: 'now' })
    bench.now += 300
    await assert.rejects(beat.tick(), StoreUnavailable)
    await passUntil(bench, beat, 6_000)
    await beat.tick()
    assert.deepEqual(bench.slots, [6_000])
    assert.deepEqual((await bench.store.show('rollup'))?.counts, { paused: 5, published: 1 })
  })

  it('a run that was asked for waits while a beat that died has the claim of a slot', async () => {
    const bench = new BeatBench()
    let died = false
    const reserve: typeof bench.store.reserve = async (request) => {
      const slot = { ...request, nominal: START + 1_000, kind: 'slot', by: 'dead' } as const
      if (request.kind === 'asked' && !died) await bench.store.reserve(slot)
      died = true
      return bench.store.reserve(request)
    }
    const beat = await bench.beat([ROLLUP], { ...POLL, store: { ...bench.leaderless, reserve } })
    bench.now = START + 990
    await bench.store.alter('rollup', { to: 'asked' })
    await passUntil(bench, beat, 11_500)
    assert.deepEqual(bench.slots.slice(0, 2), [1_000, 990])
  })

  it('[P14] a slot that two beats publish is told of once', async () => {
    const bench = new BeatBench()
    let wake = () => {}
    const asleep = new Promise<void>((resolve) => {
      wake = resolve
    })
    const fire: Fire<null> = async () => {
      await asleep
      return { decision: 'published', holder: null }
    }
    const slow = await bench.beat([ROLLUP], { by: 'b1', fire })
    const next = await bench.beat([ROLLUP], { by: 'b2' })
    bench.now = START + 1_000
    const pass = slow.tick()
    await next.tick()
    bench.now = START + 11_500
    await next.tick()
    wake()
    await pass
    const told = bench.events['beat:decided'].filter(({ nominal }) => nominal === START + 1_000)
    assert.deepEqual(
      told.map(({ decision }) => decision),
      ['published'],
    )
  })

  it('merges the configuration anew when the store has lost its data', async () => {
    const bench = new BeatBench()
    const merge = () => merging(bench.store, [{ ...putOf('rollup'), config: 'r1' }])
    const store = { ...bench.leaderless }
    const beat = await bench.beat([ROLLUP], { ...POLL, merge, store })
    await bench.store.alter('rollup', { to: 'disabled' })
    await passUntil(bench, beat, 1_000)
    await bench.store.destroy()
    await passUntil(bench, beat, 3_100)
    assert.deepEqual(bench.slots, [2_000, 3_000])
  })
})

describe('the lead', () => {
  it('is with one beat, and with the next within seconds of its death; no slot is lost or doubled', async () => {
    const bench = new BeatBench()
    let asked = 0
    const reserve: typeof bench.store.reserve = (request) => {
      asked += 1
      return bench.store.reserve(request)
    }
    const store = { ...bench.store, reserve }
    const first = await bench.beat([ROLLUP], { ...POLL, by: 'b1', store })
    const second = await bench.beat([ROLLUP], { ...POLL, by: 'b2', store })
    for (let at = 0; at <= 4_000; at += 250) {
      bench.now = Math.max(bench.now, START + at)
      await Promise.all([first.tick(), second.tick()])
    }
    assert.deepEqual(bench.slots, [1_000, 2_000, 3_000, 4_000])
    assert.equal(asked, 4, 'the other asks for nothing')
    assert.ok(bench.published.every(({ by }) => by === 'b1'))
    await passUntil(bench, second, 9_000)
    assert.deepEqual(new Set(bench.slots).size, bench.slots.length)
    assert.ok(bench.slots.includes(8_000) && bench.slots.includes(9_000), 'taken over within 3.5 s')
    assert.deepEqual(bench.events['beat:lead'], [{ leads: true }, { leads: true }])
  })

  it('is given up at once by a beat that stops', async () => {
    const bench = new BeatBench()
    const [first, second] = [
      await bench.beat([ROLLUP], { ...POLL, store: bench.store }),
      await bench.beat([ROLLUP], { ...POLL, by: 'b2', store: bench.store }),
    ]
    await first.tick()
    await second.tick()
    await first.stop()
    await passUntil(bench, second, 1_000)
    assert.deepEqual(bench.slots, [1_000])
  })

  it('is given up by a beat that cannot publish, and its claim finished by another', async () => {
    const bench = new BeatBench()
    const fire: Fire<null> = () => Promise.reject(new BrokerUnavailable('db:6379', 'refused'))
    const cut = await bench.beat([ROLLUP], { ...POLL, store: bench.store, fire })
    const next = await bench.beat([ROLLUP], { ...POLL, by: 'b2', store: bench.store })
    for (let at = 0; at <= 12_500; at += 250) {
      bench.now = Math.max(bench.now, START + at)
      await cut.tick().catch(() => undefined)
      await next.tick()
    }
    assert.equal(bench.slots[0], 1_000)
    assert.ok(bench.slots.includes(12_000))
  })

  it('is not taken by a beat that lacks the code of an entry, which serves none of its slots', async () => {
    const bench = new BeatBench()
    await bench.store.put([putOf('elsewhere')], 'add')
    const lacking = await bench.beat([ROLLUP], { ...POLL, by: 'old', store: bench.store })
    await lacking.tick()
    const knowing = await bench.beat([ROLLUP, entryOf('elsewhere', every('1s'))], {
      ...POLL,
      by: 'new',
      store: bench.store,
    })
    for (let at = 0; at <= 2_000; at += 250) {
      bench.now = Math.max(bench.now, START + at)
      await lacking.tick()
      await knowing.tick()
    }
    assert.deepEqual(bench.published.map(({ by, entry }) => `${by} ${entry}`).sort(), [
      'new elsewhere',
      'new elsewhere',
      'new rollup',
      'new rollup',
    ])
  })
})

/** Ticks every quarter of a second up to an instant, ms after START. */
async function passUntil(bench: BeatBench, beat: Scheduler<null>, end: number): Promise<void> {
  for (let at = bench.now - START; at < end; at += 250) {
    bench.now = START + at
    await beat.tick()
  }
  bench.now = START + end
  await beat.tick()
}
