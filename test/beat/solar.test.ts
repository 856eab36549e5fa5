import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type SolarEvent, solar } from '../../src/beat/solar.js'
import { UsageError } from '../../src/lock/error.js'
import { vectorRows } from '../support/vector.js'
import { sunHeight } from './sun.js'

const MINUTE = 60_000
const DAY = 86_400_000
const TROMSO = [69.6492, 18.9553] as const
/** Where the sun is at an event, and which way it goes. */
const CROSSINGS: Readonly<Record<string, readonly [degrees: number, way: 'up' | 'down']>> = {
  dawn_astronomical: [-18, 'up'],
  dawn_nautical: [-12, 'up'],
  dawn_civil: [-6, 'up'],
  sunrise: [-0.833, 'up'],
  sunset: [-0.833, 'down'],
  dusk_civil: [-6, 'down'],
  dusk_nautical: [-12, 'down'],
  dusk_astronomical: [-18, 'down'],
}

describe('solar()', () => {
  it('[P17] agrees with Celery to a minute on all nine events, wherever they come within a day', () => {
    type Row = { event: SolarEvent; lat: number; lon: number; after: string; next: string }
    const rows = vectorRows<Row>('solar')
    assert.equal(new Set(rows.map(({ event }) => event)).size, 9)
    for (const { event, lat, lon, after, next } of rows) {
      const at = solar(event, lat, lon).next(Date.parse(after), 'UTC') ?? 0
      const offMs = Math.abs(at - Date.parse(next))
      assert.ok(offMs <= MINUTE, `${event} ${lat},${lon} after ${after}: ${new Date(at).toISOString()}, not ${next}`)
    }
  })

  it('[P17] finds the next crossing of the horizon, as a scan of the sun every two minutes does', () => {
    const drawn = fc.record({
      event: fc.constantFrom(...(Object.keys(CROSSINGS) as SolarEvent[])),
      latitude: fc.integer({ min: -58, max: 58 }),
      longitude: fc.integer({ min: -180, max: 180 }),
      after: fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2049, 0, 1) }),
    })
    const property = fc.property(drawn, ({ event, latitude, longitude, after }) => {
      const at = solar(event, latitude, longitude).next(after, 'UTC') ?? Number.NaN
      const [degrees, way] = CROSSINGS[event] ?? [0, 'up']
      const above = (instant: number) => sunHeight(instant, latitude, longitude) > degrees
      // Where the sun turns round close to the line, the two disagree about hours.
      fc.pre(at - after < 1.5 * DAY)
      assert.equal(above(at - 4 * MINUTE), way === 'down', `${event} does not come at ${new Date(at).toISOString()}`)
      assert.equal(above(at + 4 * MINUTE), way === 'up')
      for (let instant = after + 4 * MINUTE; instant < at - 4 * MINUTE; instant += 2 * MINUTE) {
        const crosses = above(instant) === (way === 'down') && above(instant + 2 * MINUTE) === (way === 'up')
        assert.ok(!crosses, `${event} was passed over at ${new Date(instant).toISOString()}`)
      }
    })
    fc.assert(property, { numRuns: 60 })
  })

  it('goes on to the next day that has the event, through polar summer and winter', () => {
    const first = (event: SolarEvent, after: number) => {
      const at = solar(event, ...TROMSO).next(after, 'Europe/Oslo')
      return at === undefined ? 'never' : new Date(at).toISOString().slice(0, 10)
    }
    assert.equal(first('sunset', Date.UTC(2026, 5, 1)), '2026-07-25')
    assert.equal(first('sunrise', Date.UTC(2026, 11, 1)), '2027-01-15')
    assert.equal(first('solar_noon', Date.UTC(2026, 11, 1)), '2026-12-01', 'also below the horizon')
  })

  it('is where its name says on every day that has it, also on the last before summer and the first after', () => {
    for (const [event, [degrees]] of Object.entries(CROSSINGS) as [SolarEvent, [number, string]][]) {
      for (const latitude of [-69.9, -53, 49.5, 53, 55.5, 60, 69.9]) {
        const schedule = solar(event, latitude, 0)
        let days = 0
        for (
          let at = schedule.next(Date.UTC(2026, 0, 1), 'UTC');
          at !== undefined && at < Date.UTC(2027, 0, 1);
          days++
        ) {
          const off = Math.abs(sunHeight(at, latitude, 0) - degrees)
          assert.ok(off < 0.15, `${event} at ${latitude} on ${new Date(at).toISOString()} is off by ${off}°`)
          at = schedule.next(at, 'UTC')
        }
        assert.ok(days > 90 && days <= 367, `${event} at ${latitude}: ${days}`)
      }
    }
  })

  it('is not lost where it comes just after midnight', () => {
    const slot = Date.parse('2026-01-20T00:07:00Z')
    assert.equal(solar('sunset', -69, 0).next(slot - MINUTE, 'UTC'), slot)
  })

  it('comes at a pole too, once a year', () => {
    const first = (event: SolarEvent, latitude: number) =>
      new Date(solar(event, latitude, 0).next(Date.UTC(2026, 0, 1), 'UTC') ?? 0).toISOString().slice(0, 10)
    assert.equal(first('sunrise', 90), '2026-03-18')
    assert.equal(first('sunset', 90), '2026-09-25')
    assert.equal(first('dusk_astronomical', -90), '2026-05-11')
    const sunrise = solar('sunrise', 90, 0)
    const next = sunrise.next(Date.UTC(2026, 2, 19), 'UTC') ?? 0
    assert.equal(new Date(next).toISOString().slice(0, 7), '2027-03')
  })

  it('moves on from slot to slot, a year of days without a gap or a repetition', () => {
    for (const [latitude, longitude] of [
      [52.52, 13.405],
      [-17.7, 178],
      [-17.7, -180],
      [1.35, 103.8],
    ] as const) {
      const schedule = solar('sunset', latitude, longitude)
      let at = schedule.next(Date.UTC(2026, 0, 1), 'UTC') ?? 0
      for (let day = 0; day < 365; day++) {
        assert.equal(schedule.next(at - 1, 'UTC'), at)
        const next = schedule.next(at, 'UTC') ?? 0
        assert.ok(
          Math.abs(next - at - DAY) < 5 * MINUTE,
          `${new Date(at).toISOString()} → ${new Date(next).toISOString()}`,
        )
        at = next
      }
    }
  })

  it('refuses unknown events and places that are none', () => {
    const bad: [() => unknown, RegExp][] = [
      [() => solar('sunrises' as SolarEvent, 1, 1), /no event `sunrises`; did you mean "sunrise"\?/],
      [() => solar('toString' as SolarEvent, 1, 1), /no event `toString`; write one of dawn_astronomical, /],
      [() => solar('sunset', 91, 1), /latitude .* from -90 to 90, got `91` \(number\)/],
      [() => solar('sunset', 1, -181), /longitude .*got `-181`/],
      [() => solar('sunset', Number.NaN, 1), /latitude .*got `NaN`/],
      [() => solar('sunset', '52' as unknown as number, 1), /got `52` \(string\)/],
    ]
    for (const [make, message] of bad) {
      assert.throws(make, (error: unknown) => error instanceof UsageError && message.test(error.message))
    }
  })
})
