import { UsageError } from '../lock/error.js'
import { suggest } from '../lock/suggest.js'
import type { Schedule } from '../task-base/schedule.js'
import { type Place, solarDay, solarNoon, sunHeight } from './sun.js'

/** A height of the sun's centre in degrees, and whether the sun passes it upward. */
interface Crossing {
  readonly degrees: number
  readonly way: 'up' | 'down'
}

/** The sun's upper edge on the horizon: its radius, and what the air lifts it by. */
const EDGE = -0.833
const CROSSINGS = {
  dawn_astronomical: { degrees: -18, way: 'up' },
  dawn_nautical: { degrees: -12, way: 'up' },
  dawn_civil: { degrees: -6, way: 'up' },
  sunrise: { degrees: EDGE, way: 'up' },
  solar_noon: undefined,
  sunset: { degrees: EDGE, way: 'down' },
  dusk_civil: { degrees: -6, way: 'down' },
  dusk_nautical: { degrees: -12, way: 'down' },
  dusk_astronomical: { degrees: -18, way: 'down' },
} as const satisfies Readonly<Record<string, Crossing | undefined>>

/** What the sun does, in Celery's words: its upper edge passes the horizon, its centre 6°, 12° or 18° below, or the meridian. */
export type SolarEvent = keyof typeof CROSSINGS

const MINUTE_MS = 60_000
/** More than a year: each event has come by then, wherever the place. */
const HORIZON_DAYS = 400

/**
 * An event of the sun at a place: latitude −90 … 90 (north is positive), longitude −180 … 180 (east is positive), in
 * degrees. To the nearest minute: the weather's refraction alone moves a sunrise by as much.
 *
 * Near the poles there are days without some events; the next slot is then on the next day that has it. Each event
 * comes at every place at least once a year, at a pole just once.
 *
 * @throws UsageError
 * @example solar('sunset', 52.52, 13.405)
 */
export function solar(event: SolarEvent, latitude: number, longitude: number): Schedule {
  checkEvent(event)
  checkDegrees('latitude', latitude, 90)
  checkDegrees('longitude', longitude, 180)
  const place = { latitude, longitude }
  return {
    text: `solar ${event} ${latitude} ${longitude}`,
    stored: true,
    next(afterMs) {
      const today = solarDay(afterMs, place)
      for (let day = today - 1; day <= today + HORIZON_DAYS; day++) {
        for (const instant of timesOn(day, place, CROSSINGS[event])) {
          const at = Math.round(instant / MINUTE_MS) * MINUTE_MS
          if (at > afterMs) return at
        }
      }
      return undefined
    },
  }
}

/** As {@link solar} writes itself: `sunset 52.52 13.405`. */
export function readSolar(rest: string): Schedule {
  const [event = '', latitude = '', longitude = '', ...more] = rest.split(/[\s,]+/)
  if (more.length > 0 || longitude === '') {
    throw new UsageError(
      `Expected an event, latitude and longitude such as 'solar sunset 52.52 13.405', got \`${rest}\`.`,
    )
  }
  return solar(event as SolarEvent, Number(latitude), Number(longitude))
}

/**
 * From the midnight before a solar noon to the one after. In each half the sun only rises or only sinks (at the poles,
 * where the season weighs more than the hour, either), so that it passes a height at most once.
 */
function timesOn(day: number, place: Place, crossing: Crossing | undefined): readonly number[] {
  const noon = solarNoon(day, place)
  if (!crossing) return [noon]
  const midnights = [day - 1, day + 1].map((other) => (solarNoon(other, place) + noon) / 2)
  const [before = noon, after = noon] = midnights
  return [passing(before, noon, { place, crossing }), passing(noon, after, { place, crossing })].flatMap(
    (at) => at ?? [],
  )
}

/** Halves the time between two instants on either side of the height, down to a second; undefined where they are not. */
function passing(
  from: number,
  until: number,
  { place, crossing }: { readonly place: Place; readonly crossing: Crossing },
): number | undefined {
  const isPast = (at: number) => sunHeight(at, place) >= crossing.degrees === (crossing.way === 'up')
  if (isPast(from) || !isPast(until)) return undefined
  let [low, high] = [from, until]
  while (high - low > 1_000) {
    const middle = (low + high) / 2
    if (isPast(middle)) high = middle
    else low = middle
  }
  return high
}

function checkEvent(event: SolarEvent): void {
  if (Object.hasOwn(CROSSINGS, event)) return
  const known = Object.keys(CROSSINGS)
  const guess = suggest(String(event), known) || `; write one of ${known.join(', ')}.`
  throw new UsageError(`solar() knows no event \`${String(event)}\`${guess}`)
}

function checkDegrees(name: string, value: number, most: number): void {
  if (typeof value === 'number' && Math.abs(value) <= most) return
  throw new UsageError(
    `Expected the ${name} of solar(event, latitude, longitude) to be degrees from -${most} to ${most}, ` +
      `got \`${String(value)}\` (${typeof value}).`,
  )
}
