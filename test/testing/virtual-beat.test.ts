import assert from 'node:assert/strict'
import fc from 'fast-check'
import { readTiming } from '../../src/beat/timing.js'
import { App, crontab, type Entry, UsageError } from '../../src/index.js'
import { byFormula } from '../beat/catch-up-model.js'
import { type VirtualDecision, virtualBeat } from './virtual-beat.js'

const START = '2026-01-01T00:00:00Z'
const MINUTE = 60_000
const DAY = 86_400_000

describe('a virtual beat', () => {
  it('[P14] decides each slot of years once, on time, in order', async () => {
    const app = appOf({
      report: { schedule: '30 2 * * *', timezone: 'Europe/Berlin' },
      rollup: { schedule: '1h', jitter: '10m' },
      monthly: { schedule: crontab({ minute: 0, hour: 0, dayOfMonth: 31 }), maxRuns: 5 },
    })
    const beat = await virtualBeat(app, { startsAt: START })
    const decided = [...(await beat.advance('730d')), ...(await beat.advance('365d')), ...(await beat.advance('10m'))]
    assert.equal(beat.now, Date.UTC(2028, 11, 31, 0, 10))
    assert.deepEqual(decided, beat.decisions)
    const of = (name: string) => decided.filter(({ entry }) => entry === name)
    assert.equal(of('report').length, 1_095)
    assert.equal(new Set(of('report').map(({ nominal }) => nominal)).size, 1_095)
    assert.equal(of('rollup').length, 1_095 * 24)
    assert.equal(of('monthly').length, 5)
    assert.ok(decided.every(({ decision }) => decision === 'published'))
    assert.ok(
      of('report').every(({ nominal, at }) => nominal === at),
      'never early, never late',
    )
    const lateMs = of('rollup').map(({ nominal, at }) => at - nominal)
    assert.ok(Math.min(...lateMs) >= 0 && Math.max(...lateMs) < 10 * MINUTE && Math.max(...lateMs) > 9 * MINUTE)
  })

  it('[P16] makes up after a downtime what the entry says, and counts the rest', async () => {
    const app = appOf({
      none: { schedule: '1m', catchUp: 'none' },
      latest: { schedule: '1m' },
      all: { schedule: '1m', catchUp: 'all', catchUpLimit: 3 },
      recent: { schedule: '1d', catchUpWindow: '1h' },
    })
    const beat = await virtualBeat(app, { startsAt: START })
    beat.downtime('1d')
    beat.downtime('40s')
    const decided = await beat.advance(0)
    const told = (name: string) =>
      decided.filter(({ entry }) => entry === name).map(({ decision, slots }) => `${decision} ${slots}`)
    assert.deepEqual(told('none'), ['missed 1440'])
    assert.deepEqual(told('latest'), ['missed 1439', 'published 1'])
    assert.deepEqual(told('all'), ['missed 1437', 'published 1', 'published 1', 'published 1'])
    assert.deepEqual(told('recent'), ['published 1'])
  })

  it('[P14] [P16] equals the formula through downtimes at random, and the sum of its decisions is right', async () => {
    const schedules = [
      '7m',
      '*/10 8-17 * * 1-5',
      '30 2 * * *',
      'crontab 0 */5 * * sun',
      '5,6 * * * *',
      'at 2026-03-29T03:00:00Z',
    ]
    const drawn = fc.record({
      entry: fc.record({
        schedule: fc.constantFrom(...schedules),
        timezone: fc.constantFrom('UTC', 'Europe/Berlin', 'Australia/Lord_Howe'),
        catchUp: fc.constantFrom('none', 'latest', 'all'),
        jitter: fc.constantFrom('0s', '4m'),
      }),
      spans: fc.array(fc.tuple(fc.integer({ min: 1, max: 700 }), fc.integer({ min: 0, max: 3_000 })), {
        minLength: 1,
        maxLength: 6,
      }),
    })
    const property = fc.asyncProperty(drawn, async ({ entry, spans }) => {
      const startsAt = Date.parse('2026-03-27T00:00:00Z')
      const beat = await virtualBeat(appOf({ any: entry }), { startsAt: new Date(startsAt) })
      const timing = { name: 'any', ...readTiming('any', entry, 'UTC') }
      const expected: string[] = []
      let after = startsAt
      // Each second of a running beat is a pass of its own: no two slots come due within one.
      const expect = (now: number) => {
        const plan = byFormula(timing, { after, now, catchUp: timing.catchUp })
        if (plan?.missed) expected.push(`missed ${plan.missed.slots} ${plan.missed.latest}`)
        for (const nominal of plan?.fire ?? []) expected.push(`published 1 ${nominal}`)
        after = Math.max(after, plan?.missed?.latest ?? 0, plan?.fire.at(-1) ?? 0)
      }
      for (const [running, away] of spans) {
        const from = beat.now
        expect(from)
        for (let now = from + 1_000; now <= from + running * MINUTE; now += 1_000) expect(now)
        await beat.advance(`${running}m`)
        beat.downtime(`${away}m`)
      }
      assert.deepEqual(beat.decisions.map(written), expected)
    })
    await fc.assert(property, { numRuns: 15 })
  })

  it('knows entries that code adds, also after its modules are loaded, with all their options', async () => {
    const app = appOf({})
    app.onAfterConfigure(() => {
      app.addPeriodicTask(
        '1h',
        { task: 'ping', args: [] },
        { name: 'twice', maxRuns: 2, startsAt: '2026-01-02T00:00:00Z' },
      )
    })
    const beat = await virtualBeat(app, { startsAt: START })
    const hours = (await beat.advance('7d')).map(({ nominal }) => (nominal - Date.parse(START)) / 3_600_000)
    assert.deepEqual(hours, [24, 25])
    const wrong = { maxRun: 2 } as object
    assert.throws(() => app.addPeriodicTask('1h', { task: 'ping', args: [] }, wrong), /did you mean "maxRuns"\?/)
  })

  it('takes the answers of a guard from the test', async () => {
    const app = appOf({ rollup: { schedule: '1h' } })
    const beat = await virtualBeat(app, {
      startsAt: START,
      fire({ nominal }) {
        if (nominal % DAY === 0) throw new Error('midnight')
        return nominal % (2 * 3_600_000) === 0 ? 'skipped' : undefined
      },
    })
    const decided = (await beat.advance('1d')).map(({ decision }) => decision)
    assert.deepEqual([...new Set(decided)], ['published', 'skipped', 'error'])
    assert.equal(decided.at(-1), 'error')
  })

  it('refuses what a beat would refuse', async () => {
    await assert.rejects(virtualBeat(appOf({ bad: { schedule: 'monkey' } }), { startsAt: START }), UsageError)
    await assert.rejects(virtualBeat(appOf({}), { startsAt: '2026-01-01' }), /`startsAt`.*with an offset/)
    const beat = await virtualBeat(appOf({}), { startsAt: START })
    assert.deepEqual(await beat.advance('36500d'), [])
    await assert.rejects(beat.advance(-1), UsageError)
  })
})

function appOf(entries: Record<string, Omit<Entry, 'task'>>): App {
  const beatSchedule = Object.fromEntries(
    Object.entries(entries).map(([name, entry]) => [name, { task: 'ping', ...entry }]),
  )
  const app = new App('virtual', { broker: 'memory:', beatSchedule })
  app.task('ping', {}, () => 'pong')
  return app
}

function written({ decision, slots, nominal }: VirtualDecision): string {
  return `${decision} ${slots} ${nominal}`
}
