import assert from 'node:assert/strict'
import { isGrid } from '../../src/beat/every.js'
import { parseSchedule } from '../../src/beat/schedule-text.js'
import { UsageError } from '../../src/lock/error.js'
import type { Schedule } from '../../src/task-base/schedule.js'

describe('the text of a schedule', () => {
  it('is a grid when it is a duration', () => {
    for (const text of ['5m', '500ms', 30]) assert.ok(isGrid(parseSchedule(text, 'rollup')), String(text))
  })

  it('is cron text otherwise', () => {
    const cases: [text: string, days: string[]][] = [
      ['0 3 * * *', ['2026-01-01T03:00', '2026-01-02T03:00']],
      ['  0   3 * * mon-FRI ', ['2026-01-01T03:00', '2026-01-02T03:00', '2026-01-05T03:00']],
      ['30 0 3 * * *', ['2026-01-01T03:00:30']],
      ['*/20 * * * * *', ['2026-01-01T00:00:20', '2026-01-01T00:00:40']],
      ['0/25 * * * *', ['2026-01-01T00:25', '2026-01-01T00:50', '2026-01-01T01:00']],
      ['0 0 L * *', ['2026-01-31T00:00', '2026-02-28T00:00']],
      ['0 0 * * 5L', ['2026-01-30T00:00', '2026-02-27T00:00']],
      ['0 0 * * mon#2', ['2026-01-12T00:00', '2026-02-09T00:00']],
      ['0 0 * jul/2 7', ['2026-07-05T00:00']],
      ['@daily', ['2026-01-02T00:00', '2026-01-03T00:00']],
      ['@Weekly', ['2026-01-04T00:00']],
      ['@hourly', ['2026-01-01T01:00']],
    ]
    for (const [text, expected] of cases) {
      const found = slots(parseSchedule(text, 'rollup'), expected.length)
      assert.deepEqual(
        found,
        expected.map((each) => new Date(`${each}Z`).toISOString()),
        text,
      )
    }
  })

  it('runs when day of month or weekday matches, if both are restricted', () => {
    const days = slots(parseSchedule('0 0 13 * 5', 'rollup'), 4).map((each) => each.slice(5, 10))
    assert.deepEqual(days, ['01-02', '01-09', '01-13', '01-16'])
    const dates = slots(parseSchedule('0 0 13 * ?', 'rollup'), 2).map((each) => each.slice(5, 10))
    assert.deepEqual(dates, ['01-13', '02-13'])
  })

  it('spreads H by the name of the entry, the same on every host', () => {
    const first = (name: string) => slots(parseSchedule('H H * * *', name), 1)[0]
    assert.equal(first('rollup'), first('rollup'))
    assert.equal(new Set(['a', 'b', 'c', 'd', 'e', 'f'].map(first)).size > 1, true)
    const [, , ...rest] = slots(parseSchedule('H/15 * * * *', 'rollup'), 4)
    assert.equal(Date.parse(rest[1] ?? '') - Date.parse(rest[0] ?? ''), 900_000)
  })

  it('follows elapsed time with a star or a step in hour or minute, the clock otherwise', () => {
    const fold = Date.parse('2026-10-24T23:59:00Z')
    const hours = (text: string) =>
      slots(parseSchedule(text, 'rollup'), 3, 'Europe/Berlin', fold).map((at) => at.slice(8, 16))
    assert.deepEqual(hours('30 * * * *'), ['25T00:30', '25T01:30', '25T02:30'])
    assert.deepEqual(hours('30 2,3 * * *'), ['25T00:30', '25T02:30', '26T01:30'])
  })

  it('refuses what cron-parser would take in silence, by entry, value and cure', () => {
    const cases: [string, RegExp][] = [
      ['', /entry rollup .*got ``: it has 0 fields; write five fields/],
      ['* * * *', /it has 4 fields/],
      ['* * * * * * *', /it has 7 fields/],
      ['0 0 1 1jan *', /month does not understand "1jan"/],
      ['0 0 * * *#2', /weekday does not understand/],
      ['*/100 * * * *', /minute has a step of 100.*1-60/],
      ['H(50-90) * * * *', /minute has the range 50-90/],
      ['? * * * *', /minute does not understand "\?"/],
    ]
    for (const [text, message] of cases) assert.throws(() => parseSchedule(text, 'rollup'), usage(message), text)
  })

  it('refuses nonsense with a cure', () => {
    const cases: [string | number, RegExp][] = [
      ['5 m', /write '5m'/],
      ['30', /write '30s'/],
      ['5M', /write '5m'/],
      ['0s', /`schedule` of entry rollup to be a duration of at least 10 ms/],
      [30_000, /`schedule` of entry rollup.*write '30s'/],
      ['@dayly', /did you mean "@daily"\?/],
      ['@reboot', /"@reboot" is unknown; write @yearly/],
      ['0 0 31 4 *', /no month has such a day/],
      ['0 0 * * monkey', /weekday does not understand "monkey"/],
      ['61 * * * *', /61/],
      ['1,,2 * * * *', /minute has an empty part/],
      ['*/0 * * * *', /step of 0/],
    ]
    for (const [text, message] of cases)
      assert.throws(() => parseSchedule(text, 'rollup'), usage(message), String(text))
  })
})

function slots(schedule: Schedule, count: number, zone = 'UTC', after = Date.UTC(2026, 0, 1)): string[] {
  const found: string[] = []
  let at: number | undefined = after
  while (found.length < count && at !== undefined) {
    at = schedule.next(at, zone)
    if (at !== undefined) found.push(new Date(at).toISOString())
  }
  return found
}

function usage(message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof UsageError)
    assert.match(error.message, message)
    return true
  }
}
