import assert from 'node:assert/strict'
import fc from 'fast-check'
import { crontab } from '../../src/beat/crontab.js'
import { every } from '../../src/beat/every.js'
import { type DueSlots, dueSlots } from '../../src/beat/misfire.js'
import type { Schedule } from '../../src/task-base/schedule.js'

const START = Date.UTC(2026, 0, 1)
const MINUTE = 60_000
const DAY = 86_400_000

describe('slots that came due together', () => {
  it('are the latest, which runs, and the number of those before it', () => {
    const minutely = timetable(crontab())
    assert.equal(dueSlots(minutely, START, START + MINUTE - 1), undefined)
    assert.deepEqual(dueSlots(minutely, START, START + MINUTE), due(START + MINUTE, null))
    const three = due(START + 3 * MINUTE, { slots: 2, latest: START + 2 * MINUTE })
    assert.deepEqual(dueSlots(minutely, START, START + 4 * MINUTE - 1), three)
  })

  it('[P16] are the same whether a grid is counted or walked', () => {
    const times = { periodMs: fc.integer({ min: 10, max: 5_000 }), from: fc.nat(100_000), spanMs: fc.nat(500_000) }
    const property = fc.property(fc.record(times), ({ periodMs, from, spanMs }) => {
      fc.pre(spanMs / periodMs < 9_000)
      const grid = every(`${periodMs}ms`)
      const walked: Schedule = { next: grid.next }
      assert.deepEqual(dueSlots(timetable(grid), from, from + spanMs), dueSlots(timetable(walked), from, from + spanMs))
    })
    fc.assert(property, { numRuns: 60 })
  })

  it('[P16] cost bounded work on a calendar after any downtime, and say when more were dropped than counted', () => {
    let asked = 0
    const schedule = crontab({ minute: '*/2', hour: '8-17' })
    const counted = timetable({
      next: (after, zone) => {
        asked++
        return schedule.next(after, zone)
      },
    })
    const found = dueSlots(counted, START, START + 1_000 * DAY + 12 * 3_600_000 + 5 * MINUTE)
    const noon = START + 1_000 * DAY + 12 * 3_600_000
    assert.deepEqual(found, {
      nominal: noon + 4 * MINUTE,
      missed: { slots: 10_000, latest: noon + 2 * MINUTE },
      exact: false,
    })
    assert.ok(asked < 10_200, `${asked} questions`)
  })

  it('[P16] are counted exactly up to the bound, and of a grid beyond it', () => {
    const minutely = timetable(crontab())
    const last = START + 10_001 * MINUTE
    assert.deepEqual(dueSlots(minutely, START, last), due(last, { slots: 10_000, latest: last - MINUTE }))
    const grid = dueSlots(timetable(every('1s')), START, START + 365 * DAY)
    assert.deepEqual(grid, due(START + 365 * DAY, { slots: 365 * 86_400 - 1, latest: START + 365 * DAY - 1_000 }))
  })

  it('are refused from a schedule that does not move on', () => {
    for (const answer of [0, START, START + 0.5, Number.NaN]) {
      const broken = timetable({ next: () => answer })
      assert.throws(
        () => dueSlots(broken, START, START + DAY),
        /the schedule of entry rollup answered .*: write one that/,
      )
    }
  })
})

function timetable(schedule: Schedule): { name: string; schedule: Schedule; zone: string } {
  return { name: 'rollup', schedule, zone: 'UTC' }
}

function due(nominal: number, missed: DueSlots['missed']): DueSlots {
  return { nominal, missed, exact: true }
}
