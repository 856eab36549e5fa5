import assert from 'node:assert/strict'
import { clocked } from '../../src/beat/clocked.js'
import { crontab } from '../../src/beat/crontab.js'
import { every, isGrid } from '../../src/beat/every.js'
import { parseSchedule } from '../../src/beat/schedule-text.js'
import { solar } from '../../src/beat/solar.js'
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
      ['0 0 1 1 1', ['2026-01-05T00:00']],
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

  it('is read in the words that schedules show themselves with', () => {
    const cases: [Schedule, string][] = [
      [every('90s'), 'every 1m 30s'],
      [every('1h', { anchor: '2026-01-01T00:15:00Z' }), 'every 1h from 2026-01-01T00:15:00.000Z'],
      [clocked('2026-03-01T01:00:00+01:00'), 'at 2026-03-01T00:00:00.000Z'],
      [crontab(), 'crontab * * * * *'],
      [crontab({ minute: [0, 30], hour: '1, 2', dayOfWeek: 'mon' }), 'crontab 0,30 1,2 * * mon'],
      [crontab.fromString('0 3 13 * fri'), 'crontab 0 3 13 * fri'],
      [solar('dusk_civil', -54.8, 68.3), 'solar dusk_civil -54.8 68.3'],
      [parseSchedule('0 3 13 * fri', 'rollup'), '0 3 13 * fri'],
      [parseSchedule('@daily', 'rollup'), '@daily'],
    ]
    for (const [schedule, text] of cases) {
      assert.equal(schedule.text, text)
      const again = parseSchedule(text, 'rollup')
      assert.equal(again.text, text)
      assert.deepEqual(slots(again, 20), slots(schedule, 20), text)
      assert.equal(isGrid(again), isGrid(schedule))
    }
    assert.deepEqual(slots(parseSchedule(' Every 2h ', 'rollup'), 1), ['2026-01-01T02:00:00.000Z'])
  })

  it('warns where dialects of cron part', () => {
    const [warning] = parseSchedule('0 0 */2 * 1', 'rollup').warnings ?? []
    assert.match(warning ?? '', /runs when \*\/2 or the other day field matches; .* write 'crontab 0 0 \*\/2 \* 1'\.$/)
    for (const text of ['0 0 */2 * *', '0 0 13 * 5', '*/5 * * * 1']) {
      assert.deepEqual(parseSchedule(text, 'rollup').warnings, [], text)
    }
  })

  it('refuses what cron-parser would take in silence, by entry, place and cure', () => {
    const cases: [string, RegExp][] = [
      ['', /entry rollup .*got ``: it has 0 fields; write five fields/],
      ['* * * *', /it has 4 fields/],
      ['* * * * * * *', /it has 7 fields/],
      ['0 0 1 1jan *', /month at position 7 does not understand "1jan"; did you mean "jan"\?$/],
      ['0 0 * * *#2', /weekday at position 9 does not understand "\*#2"\.$/],
      ['*/100 * * * *', /minute at position 1 has a step of 100.*1-60/],
      ['H(50-90) * * * *', /minute at position 1 has 90 in "H\(50-90\)"; it goes from 0 to 59/],
      ['? * * * *', /minute at position 1 does not understand "\?"/],
      ['0 0 31 4 1', /has such a day: "31" at position 5, but April has 30 days; write 30 or less, or L for the last/],
      ['0 0 0 30,31 feb *', /"30,31" at position 7, but February has 29 days at most/],
    ]
    for (const [text, message] of cases) assert.throws(() => parseSchedule(text, 'rollup'), usage(message), text)
  })

  it('refuses nonsense with its place and a cure', () => {
    const cases: [string | number, RegExp][] = [
      ['5 m', /write '5m'/],
      ['30', /write '30s'/],
      ['5M', /write '5m'/],
      ['0s', /`schedule` of entry rollup to be a duration of at least 10 ms/],
      [30_000, /`schedule` of entry rollup.*write '30s'/],
      ['@dayly', /did you mean "@daily"\?/],
      ['@reboot', /"@reboot" is unknown; write @yearly/],
      ['0 0 31 4 *', /no month that it names has such a day/],
      ['monkey', /"monkey" is unknown; a schedule in words begins with every, at, crontab, solar/],
      ['evry 5m', /did you mean "every"\?/],
      ['every 5', /'rollup': .*`5`/],
      ['every', /'rollup': Expected `every`/],
      ['solar sunset 52.52', /'rollup': Expected an event, latitude and longitude/],
      ['solar moonrise 52 13', /'rollup': solar\(\) knows no event `moonrise`; /],
      ['at noon', /'rollup': Expected `at` .*with an offset/],
      ['crontab 0 3 * *', /'rollup': Expected five fields .*write five fields, minute hour dayOfMonth/],
      ['crontab 0 3 * * 7', /'rollup': .*`dayOfWeek`.*Sunday is 0/],
      ['0 0 * * monkey', /weekday at position 9 does not understand "monkey"; did you mean "mon"\?$/],
      ['0 0 * febuary *', /month at position 7 does not understand "febuary"; did you mean "feb"\?$/],
      ['  0  0 * * 8', /weekday at position 12 has 8 in "8"; it goes from 0 to 7/],
      ['61 * * * *', /minute at position 1 has 61/],
      ['1-2-3 * * * *', /minute at position 1 does not understand "1-2-3"/],
      ['0,5,70 * * * *', /minute at position 5 has 70/],
      ['0 22-2 * * *', /hour at position 3 has a range that goes down, "22-2"; write 22-23,0-2\.$/],
      ['0 0 * * fri-sun', /weekday .*"fri-sun"; write 5-6,0\.$/],
      ['0 0 * * 7-1', /weekday .*write 0-1\.$/],
      ['0 0 0 * *', /day of month at position 5 has 0/],
      ['0 0 L-2 * *', /day of month at position 5 does not understand "L-2"/],
      ['0 0 15W * *', /does not understand "15W"/],
      ['0 0 * * 1#6', /does not understand "1#6"/],
      ['0 0 * * 1#2,3', /incompatible/],
      ['1,,2 * * * *', /minute at position 3 has an empty part/],
      ['*/0 * * * *', /step of 0/],
      ['-5 * * * *', /does not understand "-5"/],
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
