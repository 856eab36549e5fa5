import assert from 'node:assert/strict'
import type { BeatEntry } from '../../src/beat/entry.js'
import { every } from '../../src/beat/every.js'
import type { Scheduler } from '../../src/beat/scheduler.js'
import { nextSlot } from '../../src/beat/slot.js'
import { StoreClock } from '../../src/beat/store-clock.js'
import { BeatBench, entryOf, START } from './beat-bench.js'

/** As `catchUp: 'none'` is read. */
const NONE = { windowMs: 30_000, limit: 1 }
const MINUTELY: BeatEntry<null> = { ...entryOf('report', every('1m')), catchUp: NONE }
const MINUTE = 60_000

describe('a slot that is seen past its window', () => {
  for (const suspended of ['stopped', 'asleep with its host'] as const) {
    it(`[P16] is missed, not lost, where its beat was ${suspended} between claim and publish`, async () => {
      const bench = new BeatBench()
      // A sleeping host's monotonic clock stands still, its wall clock does not.
      let asleepMs = 0
      const monotonic = () => bench.now - asleepMs
      const reserve: typeof bench.store.reserve = async (request) => {
        const answer = await bench.store.reserve(request)
        bench.now += 40_000
        if (suspended !== 'stopped') asleepMs += 40_000
        return answer
      }
      const store = { ...bench.leaderless, reserve }
      const clock = new StoreClock(monotonic)
      const clocks = { monotonic, wall: () => bench.now, now: () => clock.now() }
      const observe = (storeNow: number) => clock.observe(storeNow)
      const beat = await bench.beat([MINUTELY], { store, ...clocks, observe, pollMs: 500 })
      await at(bench, beat, MINUTE)
      assert.deepEqual(bench.slots, [], 'its claim is old')
      for (let ms = 40_000; ms <= 56_000; ms += 1_000) await at(bench, beat, MINUTE + ms)
      assert.deepEqual(bench.slots, [])
      assert.deepEqual(await decisions(bench), ['missed 60000'])
      await sumIsRight(bench, MINUTELY)
    })
  }

  it('[P16] is missed where its beat was away from before it, and the next one runs', async () => {
    const bench = new BeatBench()
    const beat = await bench.beat([MINUTELY])
    await at(bench, beat, 3 * MINUTE + 30_001)
    await at(bench, beat, 4 * MINUTE)
    assert.deepEqual(bench.slots, [4 * MINUTE])
    assert.deepEqual((await bench.store.show('report'))?.counts, { missed: 3, published: 1 })
    await sumIsRight(bench, MINUTELY)
  })
})

describe('a run that was asked for', () => {
  it('is missed, not lost, where no beat took it within the window', async () => {
    const bench = new BeatBench()
    const beat = await bench.beat([MINUTELY])
    bench.now = START + 10_000
    await bench.store.alter('report', { to: 'asked' })
    await at(bench, beat, 10_000 + 30_001)
    assert.deepEqual(bench.slots, [])
    assert.deepEqual(await decisions(bench), ['missed 10000'])
    assert.equal((await bench.store.show('report'))?.askedAt, null)
  })

  it('counts as one more slot, of its own instant: the decisions are the slots due and the runs asked for', async () => {
    const bench = new BeatBench()
    const beat = await bench.beat([MINUTELY])
    bench.now = START + 10_000
    await bench.store.alter('report', { to: 'asked' })
    for (const ms of [10_500, MINUTE, 2 * MINUTE]) await at(bench, beat, ms)
    const row = await bench.store.show('report')
    assert.deepEqual([row?.runs, row?.counts], [3, { published: 3 }])
  })

  for (const [when, away] of [
    ['before the beat saw the slot', 0],
    ['and the beat came past the next slots', 5 * MINUTE],
    ['and the beat came past the window', 45_000],
  ] as const) {
    it(`[P14] in the very ms of a slot, ${when}, is that slot: one decision, one message id`, async () => {
      const bench = new BeatBench()
      const beat = await bench.beat([MINUTELY])
      bench.now = START + 3 * MINUTE
      await bench.store.alter('report', { to: 'asked' })
      for (let pass = 0; pass < 6; pass += 1) await at(bench, beat, 3 * MINUTE + away)
      for (let pass = 0; pass < 3; pass += 1) await at(bench, beat, 10 * MINUTE)
      const rows = await bench.store.history('report', 100)
      assert.equal(rows.filter(({ nominal }) => nominal === START + 3 * MINUTE).length, 1)
      await sumIsRight(bench, MINUTELY)
    })
  }

  it('[P14] in the very ms of a slot that was decided just before is that slot', async () => {
    const bench = new BeatBench()
    const beat = await bench.beat([MINUTELY])
    await at(bench, beat, MINUTE)
    await bench.store.alter('report', { to: 'asked' })
    for (let pass = 0; pass < 3; pass += 1) await at(bench, beat, MINUTE + 500)
    assert.equal(new Set(bench.published.map(({ messageId }) => messageId)).size, 1)
    assert.deepEqual((await bench.store.show('report'))?.counts, { published: 1 })
    await sumIsRight(bench, MINUTELY)
  })
})

async function at(bench: BeatBench, beat: Scheduler<null>, ms: number): Promise<void> {
  bench.now = Math.max(bench.now, START + ms)
  await beat.tick()
}

async function decisions(bench: BeatBench): Promise<string[]> {
  const rows = await bench.store.history('report', 100)
  return rows.map(({ decision, nominal }) => `${decision} ${nominal - START}`)
}

/** Promise 14's sum: the slots up to the cursor, each once. */
async function sumIsRight(bench: BeatBench, entry: BeatEntry<null>): Promise<void> {
  const row = await bench.store.show('report')
  assert.ok(row && row.claim === null)
  let due = 0
  for (let slot = nextSlot(entry, START); slot !== undefined && slot <= row.nominal; slot = nextSlot(entry, slot))
    due += 1
  const counted = Object.values(row.counts).reduce((sum, count) => sum + count, 0)
  assert.equal(counted, due)
}
