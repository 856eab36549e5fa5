import assert from 'node:assert/strict'
import { checkZone, spanAt } from '../../src/beat/zone.js'
import { UsageError } from '../../src/lock/error.js'

describe('a time zone', () => {
  it('is known by its IANA name, else refused with a guess', () => {
    assert.equal(checkZone('Europe/Berlin', 'timezone'), 'Europe/Berlin')
    assert.equal(checkZone('UTC', 'timezone'), 'UTC')
    const cases: [unknown, RegExp][] = [
      [5, /to be a time zone such as .*got `5`/],
      [null, /got `null`/],
      ['Europe/Berln', /Expected `timezone` .*got `Europe\/Berln`; did you mean "Europe\/Berlin"\?$/],
      ['+01:00', /to be a time zone such as/],
      ['', /got ``\.$/],
    ]
    for (const [zone, message] of cases) {
      assert.throws(
        () => checkZone(zone as string, 'timezone'),
        (error: unknown) => error instanceof UsageError && message.test(error.message),
      )
    }
    assert.throws(() => spanAt('Mars/Phobos', 0), UsageError)
  })

  it('tells its offset and until when it holds, whichever instants were asked before', () => {
    const winter = { startsAt: Date.UTC(2025, 9, 26, 1), endsAt: Date.UTC(2026, 2, 29, 1), offsetMs: 3_600_000 }
    const summer = { startsAt: Date.UTC(2026, 2, 29, 1), endsAt: Date.UTC(2026, 9, 25, 1), offsetMs: 7_200_000 }
    assert.deepEqual(spanAt('Europe/Berlin', Date.UTC(2026, 6, 1)), summer)
    assert.deepEqual(spanAt('Europe/Berlin', Date.UTC(2026, 0, 1)), winter)
    assert.deepEqual(spanAt('Europe/Berlin', summer.startsAt), summer)
    assert.deepEqual(spanAt('Europe/Berlin', summer.startsAt - 1), winter)
    assert.equal(spanAt('Asia/Kathmandu', Date.UTC(2026, 0, 1)).endsAt, Number.POSITIVE_INFINITY)
    assert.equal(spanAt('Asia/Kathmandu', Date.UTC(2026, 0, 1)).offsetMs, 20_700_000)
  })
})
