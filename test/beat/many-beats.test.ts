import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Fire } from '../../src/beat/entry.js'
import { every } from '../../src/beat/every.js'
import type { Scheduler } from '../../src/beat/scheduler.js'
import { StoreUnavailable } from '../../src/lock/error.js'
import { BeatBench, entryOf, START } from './beat-bench.js'

const ROLLUP = entryOf('rollup', every('1s'))
/** A process that is killed: nothing of it answers any more. */
const killed = () => Promise.reject(new StoreUnavailable('db:5432', 'this beat is dead'))

describe('several beats over one store', () => {
  for (const count of [2, 5]) {
    it(`[P14] ${count} of them make one decision and one message a slot, however their passes interleave`, async () => {
      const steps = fc.array(
        fc.record({ waitMs: fc.integer({ min: 0, max: 2_500 }), beats: fc.subarray(range(count)) }),
        {
          minLength: 5,
          maxLength: 25,
        },
      )
      const property = fc.asyncProperty(steps, async (schedule) => {
        const bench = new BeatBench()
        const beats = await Promise.all(range(count).map((index) => bench.beat([ROLLUP], { by: `b${index}` })))
        for (const { waitMs, beats: ticking } of schedule) {
          bench.now += waitMs
          await Promise.all(ticking.map((index) => beats[index]?.tick()))
        }
        await settle(bench, beats)
        assert.equal(new Set(bench.slots).size, bench.slots.length, 'a slot was published twice')
        await assertSum(bench)
      })
      await fc.assert(property, { numRuns: 60 })
    })
  }

  it('[P14] a beat that dies between claim and publish is finished by the next one, at the deadline and not before', async () => {
    const bench = new BeatBench()
    const dying = await bench.beat([ROLLUP], { by: 'b1', fire: killed })
    const next = await bench.beat([ROLLUP], { by: 'b2' })
    bench.now = START + 1_000
    await assert.rejects(dying.tick())
    for (const elapsedMs of [0, 5_000, 9_999]) {
      bench.now = START + 1_000 + elapsedMs
      await next.tick()
      assert.deepEqual(bench.slots, [], `after ${elapsedMs} ms`)
    }
    bench.now = START + 11_000
    await next.tick()
    assert.deepEqual(bench.slots, [1_000])
    await next.tick()
    assert.deepEqual(bench.slots, [1_000, 11_000])
    await assertSum(bench)
  })

  it('[P14] a beat that dies between publish and decide leaves one decision, and its message id is used again', async () => {
    const bench = new BeatBench()
    const dying = await bench.beat([ROLLUP], { by: 'b1', store: { ...bench.leaderless, decide: killed } })
    const next = await bench.beat([ROLLUP], { by: 'b2' })
    bench.now = START + 1_000
    await assert.rejects(dying.tick())
    bench.now = START + 10_000
    await next.tick()
    bench.now = START + 11_000
    await next.tick()
    await next.tick()
    assert.deepEqual(bench.slots, [1_000, 1_000, 11_000])
    assert.equal(
      bench.published[0]?.messageId,
      bench.published[1]?.messageId,
      'the engine takes the second for the first',
    )
    await assertSum(bench)
  })

  it('[P14] a beat that was paused after its claim publishes nothing and reads again', async () => {
    const bench = new BeatBench()
    const reserve: typeof bench.store.reserve = async (request) => {
      const answer = await bench.store.reserve(request)
      bench.now += 9_000
      return answer
    }
    const paused = await bench.beat([ROLLUP], { by: 'b1', store: { ...bench.leaderless, reserve } })
    bench.now = START + 1_000
    assert.equal(await paused.tick(), 1_000, 'until its claim may be taken over')
    assert.deepEqual(bench.slots, [])
    bench.now = START + 11_000
    await paused.tick()
    assert.deepEqual(bench.slots, [1_000], 'under a term of its own')
  })

  it('[P14] a beat that comes back after its claim was taken over changes no decision', async () => {
    const bench = new BeatBench()
    let wake = () => {}
    const asleep = new Promise<void>((resolve) => {
      wake = resolve
    })
    const holder = { id: '01HX', stage: 'running', worker: 'w1', since: START, token: 7 } as const
    const fire: Fire<null> = async () => {
      await asleep
      return { decision: 'skipped', holder }
    }
    const slow = await bench.beat([ROLLUP], { by: 'b1', fire })
    const next = await bench.beat([ROLLUP], { by: 'b2' })
    bench.now = START + 1_000
    const pass = slow.tick()
    await next.tick()
    bench.now = START + 11_000
    await next.tick()
    wake()
    await pass
    const rows = (await bench.store.history('rollup', 9)).filter((row) => row.nominal === START + 1_000)
    assert.deepEqual(
      rows.map((row) => row.decision),
      ['published'],
    )
    assert.deepEqual(
      bench.events['beat:decided'].map((event) => event.decision),
      ['published'],
      'told once, by its maker',
    )
  })

  it('[P14] kills at any step of any beat leave one decision a slot, and the sum is right', async () => {
    const plan = fc.array(
      fc.record({
        waitMs: fc.integer({ min: 0, max: 4_000 }),
        beat: fc.nat({ max: 2 }),
        dies: fc.constantFrom('no', 'no', 'no', 'before publish', 'before decide', 'after claim reply'),
      }),
      { minLength: 5, maxLength: 30 },
    )
    const property = fc.asyncProperty(plan, async (steps) => {
      const bench = new BeatBench()
      const beats = await Promise.all([0, 1, 2].map((index) => mortal(bench, `b${index}`)))
      for (const [turn, { waitMs, beat, dies }] of steps.entries()) {
        bench.now += waitMs
        const one = beats[beat]
        if (!one) continue
        one.dies = dies
        await one.scheduler.tick().catch(() => undefined)
        if (dies !== 'no') beats[beat] = await mortal(bench, `b${beat} reborn in turn ${turn}`)
      }
      await settle(
        bench,
        beats.map((each) => each.scheduler),
      )
      const ids = new Map(bench.published.map((each) => [each.nominal, each.messageId]))
      assert.equal(new Set(bench.published.map((each) => each.messageId)).size, ids.size, 'one message id a slot')
      await assertSum(bench)
    })
    await fc.assert(property, { numRuns: 60 })
  })
})

interface Mortal {
  readonly scheduler: Scheduler<null>
  dies: string
}

/** A beat that can be told where to die. */
async function mortal(bench: BeatBench, by: string): Promise<Mortal> {
  const fate = { dies: 'no' }
  const store: typeof bench.store = {
    ...bench.leaderless,
    reserve: async (request) => {
      const answer = await bench.store.reserve(request)
      return fate.dies === 'after claim reply' ? killed() : answer
    },
    decide: (decision) => (fate.dies === 'before decide' ? killed() : bench.store.decide(decision)),
  }
  const fire: Fire<null> = async (entry, slot) => {
    if (fate.dies === 'before publish') return killed()
    bench.published.push({ by, entry: entry.name, ...slot })
    return { decision: 'published', holder: null }
  }
  const scheduler = await bench.beat([ROLLUP], { by, store, fire })
  return Object.assign(fate, { scheduler })
}

/** Past every deadline, until no beat has anything left to do. */
async function settle(bench: BeatBench, beats: readonly Scheduler<null>[]): Promise<void> {
  for (let round = 0; round < 6; round++) {
    if (round < 3) bench.now += round === 0 ? 0 : 11_000
    for (const beat of beats) await beat.tick()
  }
}

/** Promise 14's sum: each slot due is in exactly one row. */
async function assertSum(bench: BeatBench): Promise<void> {
  const cursor = await bench.store.show('rollup')
  assert.ok(cursor)
  assert.equal(cursor.claim, null, 'a claim was left open')
  const rows = await bench.store.history('rollup', 1_000)
  const due = Math.floor((cursor.nominal - START) / 1_000)
  assert.equal(
    rows.reduce((sum, row) => sum + row.slots, 0),
    due,
  )
  assert.equal(new Set(rows.map((row) => row.nominal)).size, rows.length, 'two rows for one slot')
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}
