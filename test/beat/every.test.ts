import assert from 'node:assert/strict'
import { every, isGrid } from '../../src/beat/every.js'
import type { Duration } from '../../src/lock/duration.js'
import { UsageError } from '../../src/lock/error.js'
import { vectorRows } from '../support/vector.js'

describe('every()', () => {
  it('keeps to a grid from the epoch, whenever it is asked', () => {
    const schedule = every('5m')
    assert.equal(schedule.next(Date.UTC(2026, 0, 1, 0, 3, 17), 'UTC'), Date.UTC(2026, 0, 1, 0, 5))
    assert.equal(schedule.next(Date.UTC(2026, 0, 1, 0, 5), 'UTC'), Date.UTC(2026, 0, 1, 0, 10), 'strictly after')
    assert.equal(schedule.next(Date.UTC(2026, 0, 1, 0, 5) - 1, 'UTC'), Date.UTC(2026, 0, 1, 0, 5))
    assert.equal(schedule.next(-1, 'UTC'), 0)
  })

  it('does not drift by a late run', () => {
    const schedule = every(7)
    let at = 0
    for (let slot = 1; slot <= 1000; slot++) {
      at = schedule.next(at, 'UTC') ?? 0
      assert.equal(schedule.next(at - 1, 'UTC'), at)
      assert.equal(at, slot * 7000)
    }
  })

  it('takes its anchor from a Date or text with an offset, in the past or the future', () => {
    const anchored = every('1h', { anchor: '2030-01-01T00:15:00+01:00' })
    assert.equal(anchored.next(Date.UTC(2026, 0, 1), 'UTC'), Date.UTC(2026, 0, 1, 0, 15))
    const dated = every('1d', { anchor: new Date(Date.UTC(2020, 0, 1, 6)) })
    assert.equal(dated.next(Date.UTC(2026, 0, 1, 6), 'UTC'), Date.UTC(2026, 0, 2, 6))
  })

  it('pays no heed to zones: a day is 24 hours over a change of the clocks too', () => {
    const noon = Date.UTC(2026, 2, 28, 12)
    const daily = every('1d', { anchor: new Date(noon) })
    assert.equal(daily.next(noon, 'Europe/Berlin'), noon + 86_400_000)
  })

  it('[P17] agrees with Celery on an interval from the last run, and on a rounded one', () => {
    type Row = { every: number; relative: boolean; tz: string; last: string; next: string }
    const rows = vectorRows<Row>('interval')
    assert.ok(rows.length > 20)
    for (const { every: seconds, relative, tz, last, next } of rows) {
      const schedule = every(`${seconds}s`, relative ? {} : { anchor: last })
      assert.equal(new Date(schedule.next(Date.parse(last), tz) ?? 0).toISOString(), next, `${seconds} ${last}`)
    }
  })

  it('goes from hundredths of a second to years', () => {
    assert.equal(every('10ms').next(Date.UTC(2026, 0, 1), 'UTC'), Date.UTC(2026, 0, 1, 0, 0, 0, 10))
    const fourYears = every('1461d', { anchor: '2024-02-29T00:00:00Z' })
    assert.equal(fourYears.next(Date.UTC(2026, 0, 1), 'UTC'), Date.UTC(2028, 1, 29))
  })

  it('says what it is exactly', () => {
    const texts = (['30s', '1h', '90s', '1.5s', '90061ms', 0.25] as Duration[]).map((each) => every(each).text)
    assert.deepEqual(texts, ['every 30s', 'every 1h', 'every 1m 30s', 'every 1.5s', 'every 90061ms', 'every 250ms'])
    assert.ok(isGrid(every('1s')))
    const anchored = every('1h', { anchor: '2026-01-01T00:15:00Z' })
    assert.equal(anchored.text, 'every 1h from 2026-01-01T00:15:00.000Z')
    assert.equal(every('1h', { anchor: '2026-01-01T00:00:00Z' }).text, 'every 1h', 'the same grid')
  })

  it('refuses what is no grid', () => {
    const bad: [() => unknown, RegExp][] = [
      [() => every('1ms'), /at least 10 ms, got `1ms`/],
      [() => every(0), /at least 10 ms/],
      [() => every('1s', { anchor: '2026-01-01T00:00:00' }), /`anchor`.*with an offset/],
      [() => every('1s', { anchor: 'noon' }), /`anchor`/],
      [() => every('1s', { anchor: new Date(Number.NaN) }), /`anchor`/],
      [() => every('1s', { ancor: 1 } as object), /no option `ancor`; did you mean "anchor"\?/],
    ]
    for (const [make, message] of bad) {
      assert.throws(make, (error: unknown) => error instanceof UsageError && message.test(error.message))
    }
  })
})
