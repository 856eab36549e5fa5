import assert from 'node:assert/strict'
import { formatDuration, parseDuration } from '../../src/lock/duration.js'
import { UsageError } from '../../src/lock/error.js'

describe('a duration', () => {
  it('is text with a unit', () => {
    const cases: Record<string, number> = {
      '500ms': 500,
      '30s': 30_000,
      '1.5m': 90_000,
      '1h': 3_600_000,
      '2d': 172_800_000,
    }
    for (const [text, ms] of Object.entries(cases)) assert.equal(parseDuration(text, 'timeout'), ms, text)
  })

  it('is a number of seconds, fractions included', () => {
    assert.equal(parseDuration(30, 'timeout'), 30_000)
    assert.equal(parseDuration(0.25, 'timeout'), 250)
    assert.equal(parseDuration(0, 'countdown'), 0)
    assert.equal(parseDuration(10_000, 'timeout'), 10_000_000)
  })

  it('refuses a number that was probably meant as milliseconds, and says what to write', () => {
    assert.throws(() => parseDuration(30_000, 'timeout'), usage(/`timeout`.*`30000`.*write '30s' or '30000s'/))
  })

  it('refuses what is no duration by option, value and cure', () => {
    for (const text of ['', ' ', '5x', '5M!', 'abc', '-5s', '1h30m', 'Infinitys', '1e3s', '.5s']) {
      assert.throws(() => parseDuration(text, 'lease'), usage(/Expected `lease` to be a duration such as '30s'/), text)
    }
    for (const other of [undefined, null, {}, [], ['5m'], true, Symbol('5m')]) {
      assert.throws(
        () => parseDuration(other as never, 'lease'),
        usage(/Expected `lease` to be a duration such as '30s'/),
      )
    }
    for (const number of [Number.NaN, Number.POSITIVE_INFINITY, -1]) {
      assert.throws(() => parseDuration(number, 'lease'), usage(/Expected `lease`.*\(number\)/))
    }
    assert.throws(() => parseDuration('5 m', 'lease'), usage(/write '5m'/))
    assert.throws(() => parseDuration('30', 'lease'), usage(/write '30s' if seconds are meant/))
  })

  it('is kept within its bounds, both ends allowed', () => {
    assert.throws(
      () => parseDuration(0, 'timeout', { minMs: 1000 }),
      usage(/^Expected `timeout` to be a duration of at least 1 s, got `0` \(number\)\.$/),
    )
    assert.throws(() => parseDuration('2d', 'timeout', { maxMs: 86_400_000 }), usage(/at most 1d, got `2d` \(string\)/))
    assert.equal(parseDuration('1s', 'timeout', { minMs: 1000, maxMs: 1000 }), 1000)
  })

  it('is shown to people in its two largest units', () => {
    const cases: [number, string][] = [
      [0, '0 ms'],
      [250, '250 ms'],
      [43_000, '43 s'],
      [1_560, '1.5 s'],
      [59_999, '59.9 s'],
      [60_000, '1m'],
      [3_900_000, '1h 5m'],
      [90_061_000, '1d 1h'],
    ]
    for (const [ms, text] of cases) assert.equal(formatDuration(ms), text)
  })
})

function usage(message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof UsageError && message.test(error.message)
}
