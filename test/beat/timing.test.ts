import assert from 'node:assert/strict'
import { crontab } from '../../src/beat/crontab.js'
import { every } from '../../src/beat/every.js'
import { nextSlot } from '../../src/beat/slot.js'
import { readTiming } from '../../src/beat/timing.js'
import { UsageError } from '../../src/lock/error.js'
import type { EntryTiming } from '../../src/task-base/entry.js'
import type { Schedule } from '../../src/task-base/schedule.js'

const DAILY = crontab({ minute: 30, hour: 2 })

describe("an entry's options about time", () => {
  it('are read with their defaults', () => {
    const { schedule, ...rest } = read({})
    assert.equal(schedule, DAILY)
    assert.deepEqual(rest, {
      zone: 'Europe/Berlin',
      catchUp: { windowMs: Number.POSITIVE_INFINITY, limit: 1 },
      jitterMs: 0,
      startsAt: Number.NEGATIVE_INFINITY,
      endsAt: Number.POSITIVE_INFINITY,
      maxRuns: null,
    })
  })

  it('are read as written', () => {
    const written = {
      timezone: 'Asia/Tokyo',
      catchUp: 'all',
      catchUpWindow: '2h',
      catchUpLimit: 7,
      jitter: '90s',
      startsAt: '2026-01-01T00:00:00+01:00',
      endsAt: new Date(Date.UTC(2027, 0, 1)),
      maxRuns: 1,
    } as const
    const { schedule: _, ...rest } = read(written)
    assert.deepEqual(rest, {
      zone: 'Asia/Tokyo',
      catchUp: { windowMs: 7_200_000, limit: 7 },
      jitterMs: 90_000,
      startsAt: Date.UTC(2025, 11, 31, 23),
      endsAt: Date.UTC(2027, 0, 1),
      maxRuns: 1,
    })
    assert.deepEqual(read({ catchUp: 'all' }).catchUp, { windowMs: Number.POSITIVE_INFINITY, limit: 100 })
    assert.deepEqual(read({ catchUp: 'none' }).catchUp, { windowMs: 30_000, limit: 1 })
    assert.deepEqual(read({ catchUpWindow: 90 }).catchUp, { windowMs: 90_000, limit: 1 })
  })

  it('choose what a time of day does in a gap and a fold', () => {
    const gap = Date.parse('2026-03-29T00:00:00Z')
    const fold = Date.parse('2026-10-25T00:00:00Z')
    const at = (timing: EntryTiming, after: number) =>
      new Date(nextSlot({ name: 'rollup', ...read(timing) }, after) ?? 0).toISOString().slice(5, 16)
    assert.equal(at({}, gap), '03-29T01:30')
    assert.equal(at({ dstGap: 'skip' }, gap), '03-30T00:30')
    assert.equal(at({}, fold), '10-25T00:30')
    assert.equal(at({ dstFold: 'last' }, fold), '10-25T01:30')
    assert.equal(at({ dstGap: 'skip', dstFold: 'both' }, Date.parse('2026-10-25T00:30:00Z')), '10-25T01:30')
    assert.deepEqual(read({ dstFold: 'both' }).schedule.warnings, [])
    const [warning] = read({ dstFold: 'both' }, crontab({ minute: '*/5' })).schedule.warnings ?? []
    assert.match(warning ?? '', /follows elapsed time: dstGap and dstFold change nothing\.$/)
  })

  it('are refused by entry, option and value', () => {
    const bad: [EntryTiming | object, RegExp][] = [
      [{ timezone: 'Europe/Berln' }, /`timezone of entry rollup`.*did you mean "Europe\/Berlin"\?$/],
      [{ catchUp: 'last' }, /`catchUp of entry rollup` to be one of 'none', 'latest', 'all', got `last` \(string\)/],
      [{ catchUpLimit: 5 }, /'rollup' has catchUpLimit, which goes with catchUp: 'all'\.$/],
      [{ catchUp: 'none', catchUpWindow: '1h' }, /'rollup' has catchUpWindow/],
      [{ catchUp: 'all', catchUpLimit: 1_001 }, /`catchUpLimit of entry rollup` .* from 1 to 1000, got `1001`/],
      [{ catchUpWindow: '10ms' }, /at least 1 s/],
      [{ jitter: '-5s' }, /`jitter of entry rollup`/],
      [{ startsAt: '2026-01-01' }, /`startsAt of entry rollup` .*with an offset/],
      [{ endsAt: 5 }, /`endsAt of entry rollup` .*got `5` \(number\)/],
      [{ startsAt: '2026-01-02T00:00:00Z', endsAt: '2026-01-02T00:00:00Z' }, /'rollup' ends before it starts/],
      [{ maxRuns: 0 }, /`maxRuns of entry rollup` .*got `0`/],
      [{ maxRuns: '3' }, /got `3` \(string\)/],
      [{ dstGap: 'move' }, /`dstGap of entry rollup` to be one of 'shift', 'skip'/],
    ]
    for (const [timing, message] of bad) assert.throws(() => read(timing), usage(message), JSON.stringify(timing))
    assert.throws(() => read({ dstFold: 'both' }, every('1h')), usage(/has dstFold, but its schedule knows no time/))
    assert.throws(() => read({ jitter: '1h' }, every('1h')), usage(/less than its interval, 1h, got `1h`/))
  })

  it('take any object with next() as a schedule, and nothing else', () => {
    const own = { next: (after: number) => after + 1 }
    assert.equal(read({}, own).schedule, own)
    for (const wrong of [null, {}, { next: 5 }, true]) {
      assert.throws(() => read({}, wrong as unknown as Schedule), usage(/'rollup': schedule must be a duration, cron/))
    }
  })
})

function read(timing: EntryTiming | object, schedule: Schedule = DAILY) {
  return readTiming('rollup', { schedule, ...timing }, 'Europe/Berlin')
}

function usage(message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof UsageError)
    assert.match(error.message, message)
    return true
  }
}
