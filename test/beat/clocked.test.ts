import assert from 'node:assert/strict'
import { clocked } from '../../src/beat/clocked.js'
import { UsageError } from '../../src/lock/error.js'

describe('clocked()', () => {
  it('comes once, at its instant', () => {
    const at = Date.UTC(2027, 0, 1)
    for (const schedule of [clocked(new Date(at)), clocked('2027-01-01T01:00:00+01:00')]) {
      assert.equal(schedule.next(at - 1, 'Asia/Tokyo'), at)
      assert.equal(schedule.next(at, 'UTC'), undefined)
      assert.equal(schedule.text, 'at 2027-01-01T00:00:00.000Z')
    }
  })

  it('refuses what is no instant on every host alike, and a day that its month does not have', () => {
    assert.doesNotThrow(() => clocked('2028-02-29T23:30:00-05:00'))
    for (const at of ['2027-02-30T00:00:00Z', '2027-04-31T00:00:00+01:00', '2027-02-29T00:00:00Z'])
      assert.throws(() => clocked(at), UsageError, at)
    for (const at of ['2027-01-01', '2027-01-01T00:00:00', 'noon', 5, new Date(Number.NaN), undefined]) {
      assert.throws(() => clocked(at as string), UsageError, String(at))
    }
  })
})
