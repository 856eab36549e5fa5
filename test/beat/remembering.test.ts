import assert from 'node:assert/strict'
import fc from 'fast-check'
import { clocked } from '../../src/beat/clocked.js'
import { every } from '../../src/beat/every.js'
import { remembering } from '../../src/beat/remembering.js'
import { parseSchedule } from '../../src/beat/schedule-text.js'

const START = Date.UTC(2026, 9, 24)
const ZONES = ['UTC', 'Europe/Berlin', 'Australia/Lord_Howe']

describe('a schedule that remembers', () => {
  it('[P17] answers as the schedule does, whatever is asked in whatever order', () => {
    const schedules = [
      every('90s'),
      parseSchedule('*/20 * * * *', 'e'),
      parseSchedule('30 2 * * *', 'e'),
      clocked(new Date(START)),
    ]
    const question = fc.record({
      after: fc.integer({ min: -200_000_000, max: 200_000_000 }),
      zone: fc.constantFrom(...ZONES),
    })
    const property = fc.property(fc.constantFrom(...schedules), fc.array(question), (schedule, questions) => {
      const same = remembering(schedule)
      for (const { after, zone } of questions) {
        assert.equal(same.next(START + after, zone), schedule.next(START + after, zone))
      }
    })
    fc.assert(property, { numRuns: 60 })
  })

  it('asks once for what it knows', () => {
    let asked = 0
    const hourly = every('1h')
    const same = remembering({
      next: (after, zone) => {
        asked += 1
        return hourly.next(after, zone)
      },
    })
    for (let n = 0; n < 1_000; n += 1) same.next(START + n, 'UTC')
    assert.equal(asked, 1)
  })
})
