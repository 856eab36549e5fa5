import assert from 'node:assert/strict'
import fc from 'fast-check'
import { crontab } from '../../src/beat/crontab.js'
import { every } from '../../src/beat/every.js'
import { CATCH_UP_LATEST, type CatchUp, planSlots, type SlotPlan } from '../../src/beat/misfire.js'
import { dueAt, type Timetable } from '../../src/beat/slot.js'
import type { Schedule } from '../../src/task-base/schedule.js'
import { byFormula } from './catch-up-model.js'

const START = Date.UTC(2026, 0, 1)
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const FOREVER = Number.POSITIVE_INFINITY
const MINUTELY = timetable(crontab())

describe('slots that came due together', () => {
  it('are the latest, which runs, and the number of those before it', () => {
    assert.equal(latest(MINUTELY, START + MINUTE - 1), undefined)
    assert.deepEqual(latest(MINUTELY, START + MINUTE), { fire: [START + MINUTE], missed: null })
    assert.deepEqual(latest(MINUTELY, START + 4 * MINUTE - 1), {
      fire: [START + 3 * MINUTE],
      missed: { slots: 2, latest: START + 2 * MINUTE, exact: true },
    })
  })

  it('run in order up to the limit, the newest of those in the window; the others are missed', () => {
    const now = START + 10 * MINUTE + 30_000
    const minutes = (catchUp: CatchUp) => inMinutes(planSlots(MINUTELY, { after: START, now, catchUp }))
    assert.deepEqual(minutes({ windowMs: FOREVER, limit: 100 }), {
      fire: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
      missed: null,
    })
    assert.deepEqual(minutes({ windowMs: FOREVER, limit: 3 }), { fire: [8, 9, 10], missed: [7, 7] })
    assert.deepEqual(minutes({ windowMs: 90_000, limit: 3 }), { fire: [9, 10], missed: [8, 8] })
    assert.deepEqual(minutes({ windowMs: 30_000, limit: 1 }), { fire: [10], missed: [9, 9] })
    assert.deepEqual(minutes({ windowMs: 29_999, limit: 1 }), { fire: [], missed: [10, 10] }, 'all too late')
    assert.deepEqual(minutes({ windowMs: FOREVER, limit: 0 }), { fire: [], missed: [10, 10] })
  })

  it('lie between start and end', () => {
    const bounded = { ...MINUTELY, startsAt: START + 5 * MINUTE, endsAt: START + 8 * MINUTE }
    const catchUp = { windowMs: FOREVER, limit: 9 }
    const plan = (after: number) => inMinutes(planSlots(bounded, { after, now: START + DAY, catchUp }))
    assert.deepEqual(plan(START), { fire: [5, 6, 7], missed: null }, 'the start counts, the end does not')
    assert.equal(plan(START + 7 * MINUTE), undefined)
    const grid = { ...bounded, schedule: every('1m') }
    assert.deepEqual(inMinutes(planSlots(grid, { after: START, now: START + DAY, catchUp })), plan(START))
  })

  it('wait for their jitter, and are no later for it', () => {
    const entry = { ...timetable(every('1h')), jitterMs: 30 * MINUTE }
    const slot = START + HOUR
    const goesOutAt = dueAt(entry, slot)
    assert.ok(goesOutAt > slot)
    assert.equal(latest(entry, goesOutAt - 1), undefined)
    const catchUp = { windowMs: 0, limit: 1 }
    assert.deepEqual(planSlots(entry, { after: START, now: goesOutAt, catchUp })?.fire, [slot])
    const second = dueAt(entry, slot + HOUR)
    assert.deepEqual(latest(entry, second - 1), { fire: [slot], missed: null }, 'the next one is not yet due')
  })

  it('[P16] follow the formula, whatever the schedule, for a grid that is counted as for one that is walked', () => {
    const drawn = fc.record({
      periodMs: fc.integer({ min: 10, max: 5_000 }),
      after: fc.nat(100_000),
      spanMs: fc.nat(500_000),
      limit: fc.nat(40),
      windowMs: fc.oneof(fc.constant(FOREVER), fc.nat(600_000)),
      startsAt: fc.oneof(fc.constant(0), fc.nat(400_000)),
      endsAt: fc.oneof(fc.constant(FOREVER), fc.nat(600_000)),
      jitterMs: fc.oneof(fc.constant(0), fc.nat(8_000)),
    })
    const property = fc.property(drawn, ({ periodMs, after, spanMs, limit, windowMs, ...bounds }) => {
      fc.pre(spanMs / periodMs < 5_000)
      const grid = every(`${periodMs}ms`)
      const request = { after, now: after + spanMs, catchUp: { limit, windowMs } }
      const counted = { ...timetable(grid), ...bounds }
      const walked = { ...timetable({ next: grid.next }), ...bounds }
      const expected = byFormula(walked, request)
      assert.deepEqual(planSlots(counted, request), expected)
      assert.deepEqual(planSlots(walked, request), expected)
    })
    fc.assert(property, { numRuns: 150 })
  })

  it('[P16] cost bounded work on a calendar after any downtime, and say when more were dropped than counted', () => {
    const noon = START + 1_000 * DAY + 12 * HOUR
    const { entry, asked } = counting(crontab({ minute: '*/2', hour: '8-17' }))
    assert.deepEqual(latest(entry, noon + 5 * MINUTE), {
      fire: [noon + 4 * MINUTE],
      missed: { slots: 10_002, latest: noon + 2 * MINUTE, exact: false },
    })
    assert.ok(asked() < 10_600, `${asked()} questions`)
  })

  it('[P16] cost no more after ten million missed slots, and find the newest hundred', () => {
    const { entry, asked } = counting(crontab())
    const now = START + 10_000_000 * MINUTE
    const catchUp = { windowMs: FOREVER, limit: 100 }
    const plan = planSlots(entry, { after: START, now, catchUp })
    assert.deepEqual(
      plan?.fire,
      Array.from({ length: 100 }, (_, index) => now - (99 - index) * MINUTE),
    )
    assert.equal(plan?.missed?.latest, now - 100 * MINUTE)
    assert.equal(plan?.missed?.exact, false)
    assert.ok(asked() < 10_000 + 50 * 116, `${asked()} questions`)
  })

  it('[P16] are found too where they come in bursts, years before now', () => {
    const { entry, asked } = counting(crontab({ dayOfMonth: 29, monthOfYear: 2 }))
    const leapDay = Date.UTC(2048, 1, 29, 23, 59)
    const plan = planSlots(entry, {
      after: START,
      now: Date.UTC(2051, 11, 31),
      catchUp: { windowMs: FOREVER, limit: 2 },
    })
    assert.deepEqual(plan, {
      fire: [leapDay - MINUTE, leapDay],
      missed: { slots: 6 * 1_440 - 2, latest: leapDay - 2 * MINUTE, exact: true },
    })
    assert.ok(asked() <= 10_000)
  })

  it('[P16] are counted exactly up to the bound, and of a grid beyond it', () => {
    const last = START + 10_000 * MINUTE
    assert.deepEqual(latest(MINUTELY, last), {
      fire: [last],
      missed: { slots: 9_999, latest: last - MINUTE, exact: true },
    })
    const century = START + 36_525 * DAY
    const { entry, asked } = counting(every('10ms'))
    assert.deepEqual(latest(entry, century), {
      fire: [century],
      missed: { slots: (century - START) / 10 - 1, latest: century - 10, exact: true },
    })
    assert.equal(asked(), 1)
  })

  it('are refused from a schedule that throws, or does not move on', () => {
    for (const answer of [0, START, START + 0.5, Number.NaN, FOREVER]) {
      const broken = timetable({ next: () => answer })
      assert.throws(() => latest(broken, START + DAY), /the schedule of entry rollup answered .*: write one that/)
    }
    const throwing = timetable({
      next: () => {
        throw new TypeError('no such moon')
      },
    })
    assert.throws(() => latest(throwing, START + DAY), /the schedule of entry rollup failed at .*: no such moon/)
  })
})

function latest(entry: Timetable, now: number): SlotPlan | undefined {
  return planSlots(entry, { after: START, now, catchUp: CATCH_UP_LATEST })
}

function timetable(schedule: Schedule): Timetable {
  return { name: 'rollup', schedule, zone: 'UTC' }
}

/** How often a schedule was asked. A grid stays one. */
function counting(schedule: Schedule): { entry: Timetable; asked: () => number } {
  let asked = 0
  const next = (after: number, zone: string) => {
    asked++
    return schedule.next(after, zone)
  }
  return { entry: timetable({ ...schedule, next }), asked: () => asked }
}

function inMinutes(plan: SlotPlan | undefined): { fire: number[]; missed: [number, number] | null } | undefined {
  if (!plan) return undefined
  const minute = (at: number) => (at - START) / MINUTE
  return { fire: plan.fire.map(minute), missed: plan.missed && [plan.missed.slots, minute(plan.missed.latest)] }
}
