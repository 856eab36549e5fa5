import assert from 'node:assert/strict'
import fc from 'fast-check'
import { parseSchedule } from '../../src/beat/schedule-text.js'
import { UsageError } from '../../src/lock/error.js'
import type { Schedule } from '../../src/task-base/schedule.js'
import { anyDay, anyTime, type CronModel } from './cron-model.js'
import { wallTime } from './oracle.js'

const MINUTE = 60_000
const DAY = 86_400_000

describe('cron text', () => {
  it('[P17] comes in the seconds that a scan of the wall clock names, round changes of the clocks', () => {
    const moments = fc.constantFrom<[string, string]>(
      ['Australia/Lord_Howe', '2025-04-05T15:00:00Z'],
      ['America/New_York', '2026-11-01T06:00:00Z'],
      ['Europe/Berlin', '2026-03-29T01:00:00Z'],
      ['Asia/Kathmandu', '2026-01-01T00:00:00Z'],
    )
    const drawn = fc.record({
      model: anyTime({ rhythm: true }),
      moment: moments,
      seconds: fc.integer({ min: -500, max: 100 }),
    })
    const property = fc.property(drawn, ({ model, moment: [zone, at], seconds }) => {
      agree(model, { zone, after: Date.parse(at) + seconds * 1000, end: Date.parse(at) + seconds * 1000 + 7 * MINUTE })
    })
    fc.assert(property, { numRuns: 100 })
  })

  it('[P17] comes at the fixed times that a scan of the wall clock names', () => {
    const drawn = fc.record({ model: anyTime({ rhythm: false }), hour: fc.nat(23) })
    const property = fc.property(drawn, ({ model, hour }) => {
      const after = Date.UTC(2026, 5, 1, hour, 29, 40)
      agree(model, { zone: 'Asia/Kathmandu', after, end: after + 7 * MINUTE })
    })
    fc.assert(property, { numRuns: 60 })
  })

  it('[P17] comes on the days that its words name: L, #, names, steps, one day field or both', () => {
    const start = Date.UTC(2027, 0, 1) - 1
    const end = start + 3 * 365 * DAY
    const property = fc.property(anyDay(), (model) => {
      const schedule = parsed(model)
      if (!schedule) return
      const expected: string[] = []
      for (let at = start + 1; at <= end; at += DAY) if (model.matches(utcDay(at))) expected.push(day(at))
      assert.deepEqual(slots(schedule, 'UTC', { after: start, end }).map(day), expected, model.text)
    })
    fc.assert(property, { numRuns: 120 })
  })
})

/** Undefined where it is rightly refused: it names no day that ever comes. */
function parsed(model: CronModel): Schedule | undefined {
  try {
    const schedule = parseSchedule(model.text, 'rollup')
    assert.ok(model.hasDate, `${model.text} names no date and is taken`)
    return schedule
  } catch (error) {
    if (!(error instanceof UsageError) || !/has such a day/.test(error.message)) throw error
    assert.equal(model.hasDate, false, error.message)
    return undefined
  }
}

function agree(model: CronModel, { zone, after, end }: { zone: string; after: number; end: number }): void {
  const expected: string[] = []
  for (let at = after + 1000; at <= end; at += 1000) {
    if (model.matches({ ...wallTime(zone, at), daysInMonth: 31 })) expected.push(new Date(at).toISOString())
  }
  const found = slots(parseSchedule(model.text, 'rollup'), zone, { after, end })
  assert.deepEqual(
    found.map((at) => new Date(at).toISOString()),
    expected,
    `${model.text} in ${zone}`,
  )
}

function slots(schedule: Schedule, zone: string, { after, end }: { after: number; end: number }): number[] {
  const found: number[] = []
  for (let at = schedule.next(after, zone); at !== undefined && at <= end; at = schedule.next(at, zone)) found.push(at)
  return found
}

function utcDay(at: number) {
  const date = new Date(at)
  return {
    ...{ second: 0, minute: 0, hour: 0 },
    dayOfMonth: date.getUTCDate(),
    month: date.getUTCMonth() + 1,
    weekday: date.getUTCDay(),
    daysInMonth: new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate(),
  }
}

function day(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}
