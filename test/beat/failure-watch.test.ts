import assert from 'node:assert/strict'
import { every } from '../../src/beat/every.js'
import type { RunEnd } from '../../src/beat/failure-watch.js'
import type { Scheduler } from '../../src/beat/scheduler.js'
import { slotId } from '../../src/beat/slot-id.js'
import { StoreUnavailable } from '../../src/lock/error.js'
import { BeatBench, entryOf, START } from './beat-bench.js'

const HOURLY = { ...entryOf('report', every('1h')), pauseOnFailure: true }
const HOUR = 3_600_000

describe('an entry that pauses on a failure', () => {
  it('is paused by a beat that saw neither its run nor its failure, though later slots were skipped', async () => {
    const { bench, ends, endOf } = scene()
    const first = await bench.beat([HOURLY], { endOf })
    await at(bench, first, HOUR)
    ends.set(HOUR, undefined)
    const skipping = { answer: { decision: 'skipped', holder: null } } as const
    const second = await bench.beat([HOURLY], { endOf, by: 'b2', ...skipping })
    await at(bench, second, 2 * HOUR)
    ends.set(HOUR, { failed: true, at: START + 2.5 * HOUR })
    const third = await bench.beat([HOURLY], { endOf, by: 'b3' })
    await at(bench, third, 3 * HOUR)
    const row = await bench.store.show('report')
    assert.deepEqual([row?.state, row?.pausedWhy], ['paused', `the run ${idOf(HOUR)} failed`])
    assert.deepEqual(row?.counts, { published: 1, skipped: 1 }, 'the slot after the failure was not published')
  })

  it('is paused within a minute of its failure, long before the next slot, also by a beat that has just started', async () => {
    const { bench, ends, endOf } = scene()
    const first = await bench.beat([HOURLY], { endOf })
    await at(bench, first, HOUR)
    ends.set(HOUR, { failed: true, at: START + HOUR + 5_000 })
    const second = await bench.beat([HOURLY], { endOf, by: 'b2' })
    for (let ms = 0; ms <= 60_000; ms += 500) await at(bench, second, HOUR + ms)
    assert.equal((await bench.store.show('report'))?.state, 'paused')
  })

  it('is paused after all when the beat dies, or its store is away, between the look and the pause', async () => {
    const { bench, ends, endOf } = scene()
    let lost = 0
    const alter: typeof bench.store.alter = async (...of) => {
      if (of[1].to === 'paused' && lost++ === 0) throw new StoreUnavailable('db:5432', 'refused')
      return bench.store.alter(...of)
    }
    const beat = await bench.beat([HOURLY], { endOf, store: { ...bench.leaderless, alter } })
    await at(bench, beat, HOUR)
    ends.set(HOUR, { failed: true, at: START + HOUR + 5_000 })
    await assert.rejects(at(bench, beat, 2 * HOUR), StoreUnavailable)
    assert.deepEqual(bench.slots, [HOUR])
    const next = await bench.beat([HOURLY], { endOf, by: 'b2' })
    await at(bench, next, 2 * HOUR + 1)
    assert.deepEqual([bench.slots, (await bench.store.show('report'))?.state], [[HOUR], 'paused'])
  })

  it('is not paused again for a failure from before it was resumed, also by a beat that starts after', async () => {
    const { bench, ends, endOf } = scene()
    const first = await bench.beat([HOURLY], { endOf })
    await at(bench, first, HOUR)
    ends.set(HOUR, { failed: true, at: START + HOUR + 5_000 })
    await at(bench, first, 2 * HOUR)
    await bench.store.alter('report', { to: 'resumed', from: 'now' })
    const second = await bench.beat([HOURLY], { endOf, by: 'b2' })
    for (let ms = 0; ms <= HOUR; ms += 60_000) await at(bench, second, 2 * HOUR + ms)
    assert.equal((await bench.store.show('report'))?.state, 'active')
    assert.deepEqual(bench.slots, [HOUR, 3 * HOUR])
  })

  it('looks at a run until it has ended, ever more rarely, and never again after', async () => {
    const { bench, ends, asked, endOf } = scene()
    const beat = await bench.beat([{ ...HOURLY, schedule: every('10d') }], { endOf })
    const slot = Math.ceil(START / (240 * HOUR)) * 240 * HOUR - START
    await at(bench, beat, slot)
    const from = asked.length
    for (let ms = 0; ms <= HOUR; ms += 1_000) await at(bench, beat, slot + ms)
    const looks = asked.length - from
    assert.ok(looks > 15 && looks < 60, `${looks} looks in an hour`)
    ends.set(slot, { failed: false, at: START + slot + HOUR })
    for (let ms = HOUR; ms <= 2 * HOUR; ms += 1_000) await at(bench, beat, slot + ms)
    assert.ok(asked.length - from - looks <= 1)
  })
})

function scene() {
  const bench = new BeatBench()
  const ends = new Map<number, RunEnd | undefined>()
  const asked: string[] = []
  const endOf = async (id: string) => {
    asked.push(id)
    return [...ends].find(([slot]) => idOf(slot) === id)?.[1]
  }
  return { bench, ends, asked, endOf }
}

function idOf(slot: number): string {
  return slotId('report', START + slot)
}

async function at(bench: BeatBench, beat: Scheduler<null>, ms: number): Promise<void> {
  bench.now = START + ms
  await beat.tick()
}
