import assert from 'node:assert/strict'
import { type CrontabFields, crontab } from '../../src/beat/crontab.js'
import type { CrontabField } from '../../src/beat/crontab-field.js'
import { UsageError } from '../../src/lock/error.js'
import { vectorRows } from '../support/vector.js'
import { brokenAt, fromCelery, valuesOf } from './crontab-vector.js'

interface FieldRow {
  readonly field: string
  readonly input: unknown
  readonly strict: boolean
  readonly values?: readonly number[]
}

describe('crontab()', () => {
  it('reads every field that fits the documented grammar as Celery does', () => {
    const rows = vectorRows<FieldRow>('crontab-field').filter((row) => row.strict && row.values)
    assert.ok(rows.length > 100)
    for (const row of rows) assert.deepEqual(valuesOf(row.field, row.input), row.values, `${row.field} ${row.input}`)
  })

  it('refuses what Celery refuses', () => {
    for (const row of vectorRows<FieldRow>('crontab-field').filter((each) => !each.values)) {
      assert.throws(() => valuesOf(row.field, row.input), UsageError, `${row.field} ${JSON.stringify(row.input)}`)
    }
  })

  it('agrees with Celery on what its code takes beyond the grammar, or refuses it', () => {
    const taken: string[] = []
    for (const row of vectorRows<FieldRow>('crontab-field').filter((each) => !each.strict && each.values)) {
      try {
        assert.deepEqual(valuesOf(row.field, row.input), row.values)
        if (typeof row.input === 'string') taken.push(row.input)
      } catch (error) {
        assert.ok(error instanceof UsageError, String(error))
      }
    }
    assert.deepEqual([...new Set(taken)], ['1, 2', '1 ', '1, 16, 31'], 'blanks round a part, and nothing else')
  })

  it('says where text leaves the grammar, and what to write', () => {
    const cases: [CrontabFields, RegExp][] = [
      [{ minute: '1-2-3' }, /`minute` of crontab\(\).*got `1-2-3` \(string\): "-3" at position 4/],
      [{ minute: '5,*/15/2' }, /"\/2" at position 7/],
      [{ minute: '0/5' }, /write 0-59\/5\.$/],
      [{ minute: '61' }, /61 is not in 0-59\.$/],
      [{ minute: '1,,2' }, /empty at position 3/],
      [{ minute: '*/0' }, /at least 1/],
      [{ minute: '' }, /write "\*"/],
      [{ dayOfWeek: 'monkey' }, /"monkey" is unknown here; did you mean "monday"\?$/],
      [{ dayOfWeek: 7 }, /Sunday is 0/],
      [{ monthOfYear: 'mon' }, /"mon" is unknown/],
      [{ hour: 1.5 }, /no whole number/],
      [{ hour: [] }, /list of numbers/],
    ]
    for (const [fields, message] of cases) assert.throws(() => crontab(fields), usage(message))
  })

  it('refuses an unknown field with a guess', () => {
    const fields = { day_of_week: 1 } as unknown as CrontabFields
    assert.throws(() => crontab(fields), usage(/no field `day_of_week`; did you mean "dayOfWeek"\?/))
  })

  it('takes each date that comes, on any day of the week, and no other', () => {
    for (let monthOfYear = 1; monthOfYear <= 12; monthOfYear += 1) {
      for (let dayOfMonth = 28; dayOfMonth <= 31; dayOfMonth += 1) {
        for (let dayOfWeek = 0; dayOfWeek <= 6; dayOfWeek += 1) {
          // A leap year: it has all dates that there are.
          const comes = new Date(Date.UTC(2028, monthOfYear - 1, dayOfMonth)).getUTCDate() === dayOfMonth
          const fields = { minute: 0, hour: 0, dayOfMonth, monthOfYear, dayOfWeek }
          if (comes) assert.ok(crontab(fields).next(0, 'UTC') !== undefined, JSON.stringify(fields))
          else assert.throws(() => crontab(fields), usage(/never comes/), JSON.stringify(fields))
        }
      }
    }
  })

  it('refuses a date that never comes', () => {
    assert.throws(() => crontab({ dayOfMonth: 31, monthOfYear: 'apr,jun' }), usage(/never comes/))
    assert.throws(
      () => crontab({ dayOfMonth: 30, monthOfYear: 2 }),
      usage(
        /never comes: "30" of dayOfMonth, but February has 29 days at most; write 29 or less, or another monthOfYear/,
      ),
    )
    assert.throws(
      () => crontab({ dayOfMonth: ' 31', monthOfYear: 'apr,jun' }),
      usage(/"31" at position 2 of dayOfMonth, but of April, June none has more than 30 days; write 30 or less/),
    )
    assert.doesNotThrow(() => crontab({ dayOfMonth: 29, monthOfYear: 2, dayOfWeek: 'mon' }))
  })

  it('warns of an hour without a minute', () => {
    assert.match(crontab({ hour: 3 }).warnings?.[0] ?? '', /crontab\(\{ hour: 3 \}\) has no minute and runs 60 times/)
    assert.deepEqual(crontab({ hour: 3, minute: '*' }).warnings, [])
    assert.deepEqual(crontab().warnings, [])
  })

  it('requires all five fields to match', () => {
    const fridayThe13th = crontab({ minute: 0, hour: 0, dayOfMonth: 13, dayOfWeek: 'fri' })
    assert.equal(fridayThe13th.next(Date.UTC(2026, 0, 1), 'UTC'), Date.UTC(2026, 1, 13))
  })

  it('reads five fields in the order of cron, with both days to match', () => {
    const fridayThe13th = crontab.fromString(' 0  0 13 * fri ')
    assert.equal(fridayThe13th.next(Date.UTC(2026, 0, 1), 'UTC'), Date.UTC(2026, 1, 13))
    assert.deepEqual(crontab.fromString('* 3 * * *').warnings, [], 'its minute is written')
    const bad: [unknown, RegExp][] = [
      ['', /got ``: write five fields, minute hour dayOfMonth monthOfYear dayOfWeek\.$/],
      ['0 3 * *', /got `0 3 \* \*`/],
      ['0 0 3 * * *', /write five fields/],
      ['@daily', /words such as @daily are cron text: give the entry the text alone\.$/],
      ['0 3 * * 7', /`dayOfWeek` .*Sunday is 0/],
      ['0 3 31 4 *', /never comes/],
      [5, /got `5`/],
    ]
    for (const [text, message] of bad) assert.throws(() => crontab.fromString(text as string), usage(message))
  })

  it('[P17] finds the first slot that Celery and a search over wall clocks agree on', () => {
    const rows = vectorRows<{ crontab: Record<string, CrontabField>; tz: string; after: string; next: string }>(
      'crontab-next',
    )
    assert.ok(rows.length > 1000)
    for (const row of rows) {
      const next = crontab(fromCelery(row.crontab)).next(Date.parse(row.after), row.tz)
      assert.equal(iso(next), iso(Date.parse(row.next)), JSON.stringify(row))
    }
  })

  it('[P17] fires as the policy says around every change of the clocks', () => {
    const rows = vectorRows<{
      crontab: Record<string, CrontabField>
      tz: string
      start: number
      end: number
      fires: number[]
    }>('crontab-dst')
    assert.ok(rows.length > 200)
    for (const row of rows) {
      const schedule = crontab(fromCelery(row.crontab))
      const fires: number[] = []
      let at = schedule.next(row.start * 1000, row.tz)
      while (at !== undefined && at <= row.end * 1000) {
        fires.push(at / 1000)
        at = schedule.next(at, row.tz)
      }
      assert.deepEqual(fires, row.fires, brokenAt(row, fires))
    }
  })
})

function usage(message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof UsageError)
    assert.match(error.message, message)
    return true
  }
}

function iso(at: number | undefined): string {
  return at === undefined ? 'never' : new Date(at).toISOString()
}
