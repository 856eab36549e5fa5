import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type CalendarRule, type DstPolicy, everComes, nextInstant } from '../../src/beat/calendar.js'
import { changesIn, fixedTimes, matches, scan } from './oracle.js'

const HOUR = 3_600_000
/** Instants around which the clocks change, in zones that do it in every odd way. */
const CHANGES: readonly (readonly [zone: string, at: string])[] = [
  ['Australia/Lord_Howe', '2024-10-05T15:30:00Z'],
  ['Australia/Lord_Howe', '2025-04-05T15:00:00Z'],
  ['Pacific/Chatham', '2024-09-28T14:00:00Z'],
  ['Pacific/Chatham', '2025-04-05T14:00:00Z'],
  ['Antarctica/Troll', '2025-03-30T01:00:00Z'],
  ['Antarctica/Troll', '2024-10-27T01:00:00Z'],
  ['Pacific/Apia', '2011-12-30T10:00:00Z'],
  ['America/New_York', '2026-03-08T07:00:00Z'],
  ['America/New_York', '2026-11-01T06:00:00Z'],
  ['Europe/Berlin', '2026-03-29T01:00:00Z'],
  ['Europe/Berlin', '2026-10-25T01:00:00Z'],
  ['Asia/Kathmandu', '2026-03-29T01:00:00Z'],
]

describe('the calendar search', () => {
  it('[P17] follows elapsed time as a scan of every minute of the wall clock does', () => {
    const property = fc.property(anyRule(), anyMoment(), (rule, { zone, after }) => {
      const end = after + 8 * HOUR
      const expected = scan(zone, { after, end }, (wall) => matches(rule, wall))
      assert.deepEqual(walk(rule, zone, { after, end }), expected)
    })
    fc.assert(property, { numRuns: 150 })
  })

  it('[P17] runs each fixed time once a day, out of gaps and once in folds, as a scan day by day says', () => {
    const property = fc.property(anyRule(), anyMoment(), (rule, { zone, after }) => {
      const end = after + 8 * HOUR
      const fixed: CalendarRule = { ...rule, pace: 'clock' }
      const expected = fixedTimes(fixed, zone, { after, end })
      assert.deepEqual(walk(fixed, zone, { after, end }), expected)
    })
    fc.assert(property, { numRuns: 100 })
  })

  it('[P17] follows each policy for gaps and folds, round changes of the clocks in any zone and year', () => {
    const drawn = fc.record({
      rule: anyRule(),
      zone: fc.constantFrom(...Intl.supportedValuesOf('timeZone')),
      year: fc.integer({ min: 1975, max: 2037 }),
      which: fc.constantFrom(0, -1),
      minutes: fc.integer({ min: -300, max: 60 }),
      pace: fc.constantFrom('clock', 'clock', 'elapsed'),
      dst: fc.record({ gap: fc.constantFrom('shift', 'skip'), fold: fc.constantFrom('first', 'last', 'both') }),
    })
    let looked = 0
    const property = fc.property(drawn, ({ rule, zone, year, which, minutes, pace, dst }) => {
      const change = changesIn(zone, year).at(which)
      if (change === undefined) return
      looked++
      const after = change + minutes * 60_000
      const span = { after, end: after + 6 * HOUR }
      const seen = { ...rule, pace }
      const expected =
        pace === 'clock' ? fixedTimes(seen, zone, { ...span, dst }) : scan(zone, span, (wall) => matches(seen, wall))
      assert.deepEqual(walk(seen, zone, { ...span, dst }), expected)
    })
    fc.assert(property, { numRuns: 300 })
    assert.ok(looked > 60, `${looked} of the years had a change`)
  })

  it('leaves out or repeats what the policy says', () => {
    const at = (iso: string) => Date.parse(iso)
    const half2 = fixed({ hours: [2], minutes: [30] })
    const gap = at('2026-03-29T00:00:00Z')
    const fold = at('2026-10-25T00:00:00Z')
    const berlin = (after: number, dst: DstPolicy) => nextInstant(half2, after, 'Europe/Berlin', dst)
    assert.equal(berlin(gap, { gap: 'shift', fold: 'first' }), at('2026-03-29T01:30:00Z'))
    assert.equal(berlin(gap, { gap: 'skip', fold: 'first' }), at('2026-03-30T00:30:00Z'))
    assert.equal(berlin(fold, { gap: 'shift', fold: 'first' }), at('2026-10-25T00:30:00Z'))
    assert.equal(berlin(fold, { gap: 'shift', fold: 'last' }), at('2026-10-25T01:30:00Z'))
    assert.equal(berlin(fold, { gap: 'shift', fold: 'both' }), at('2026-10-25T00:30:00Z'))
    assert.equal(berlin(at('2026-10-25T00:30:00Z'), { gap: 'shift', fold: 'both' }), at('2026-10-25T01:30:00Z'))
  })

  it('keeps a moved time in its place among the plain ones', () => {
    const rule = fixed({ hours: [2, 3], minutes: [0, 45] })
    const span = { after: Date.parse('2026-03-29T00:00:00Z'), end: Date.parse('2026-03-29T02:00:00Z') }
    const utc = walk(rule, 'Europe/Berlin', span).map((at) => new Date(at).toISOString().slice(11, 16))
    assert.deepEqual(utc, ['01:00', '01:45'], '02:00 and 03:00 fall together, and so do 02:45 and 03:45')
  })

  it('finds 29 February on a Monday decades away, across the years that leave it out', () => {
    const rule = fixed({ hours: [3], months: [2] }, (day) => day.dayOfMonth === 29 && day.weekday === 1)
    assert.equal(nextInstant(rule, Date.UTC(2072, 5, 1), 'UTC'), Date.UTC(2112, 1, 29, 3))
    assert.equal(nextInstant(rule, Date.UTC(2026, 0, 1), 'Europe/Berlin'), Date.UTC(2044, 1, 29, 2))
  })

  it('does not pass over the second showing of a time that comes once a year', () => {
    const yearly = fixed({ hours: [1], minutes: [30], months: [11] }, (day) => day.dayOfMonth === 1)
    const between = Date.parse('2026-11-01T05:45:00Z')
    const next = nextInstant({ ...yearly, pace: 'elapsed' }, between, 'America/New_York')
    assert.equal(next, Date.parse('2026-11-01T06:30:00Z'))
  })

  it('answers undefined for what never comes, in bounded time', () => {
    const never = fixed({ months: [2] }, (day) => day.dayOfMonth === 30)
    assert.equal(everComes(never), false)
    assert.equal(nextInstant(never, 0, 'Europe/Berlin'), undefined)
    const inTheGap = fixed(
      { hours: [2], minutes: [30], months: [3] },
      (day) => day.weekday === 0 && day.dayOfMonth > 24,
    )
    assert.equal(
      nextInstant(inTheGap, Date.UTC(2026, 0, 1), 'Europe/Berlin', { gap: 'skip', fold: 'first' }),
      undefined,
    )
  })
})

function fixed(fields: Partial<CalendarRule>, matchesDay: CalendarRule['matchesDay'] = () => true): CalendarRule {
  const months = Array.from({ length: 12 }, (_, index) => index + 1)
  return { seconds: [0], minutes: [0], hours: [0], months, matchesDay, pace: 'clock', ...fields }
}

function walk(
  rule: CalendarRule,
  zone: string,
  { after, end, dst }: { after: number; end: number; dst?: DstPolicy },
): number[] {
  const found: number[] = []
  let at = nextInstant(rule, after, zone, dst)
  while (at !== undefined && at <= end) {
    found.push(at)
    at = nextInstant(rule, at, zone, dst)
  }
  return found
}

function anyRule(): fc.Arbitrary<CalendarRule> {
  const some = (min: number, max: number, length: number) =>
    fc
      .uniqueArray(fc.integer({ min, max }), { minLength: 1, maxLength: length })
      .map((numbers) => numbers.sort((a, b) => a - b))
  return fc.record({ minutes: some(0, 59, 4), hours: some(0, 23, 20), weekdays: some(0, 6, 7) }).map((drawn) => {
    const weekdays = new Set(drawn.weekdays)
    const rule = fixed({ minutes: drawn.minutes, hours: drawn.hours }, (day) => weekdays.has(day.weekday))
    return { ...rule, pace: 'elapsed' }
  })
}

function anyMoment(): fc.Arbitrary<{ zone: string; after: number }> {
  return fc
    .record({ change: fc.constantFrom(...CHANGES), minutes: fc.integer({ min: -420, max: 90 }) })
    .map(({ change: [zone, at], minutes }) => ({ zone, after: Date.parse(at) + minutes * 60_000 }))
}
