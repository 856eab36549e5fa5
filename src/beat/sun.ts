const RADIANS = Math.PI / 180
const DAY_MS = 86_400_000
/** Noon of 1 January 2000, UTC: the year's length and the sun's path are given from here. */
const EPOCH_AT = Date.UTC(2000, 0, 1, 12)
/** A turn of the sky in a day, in degrees: a little more than one. */
const TURN = 360.98564736629

/** A point of the earth, in degrees; north and east are positive. */
export interface Place {
  readonly latitude: number
  readonly longitude: number
}

/**
 * How high the sun's centre stands over the horizon at an instant, in degrees, without the air's refraction. Good to a
 * hundredth of a degree for this century and the last.
 *
 * @see J. Meeus, Astronomical Algorithms, 2nd edition, chapters 12, 13 and 25 (low accuracy), as NOAA's calculator uses
 * them: https://gml.noaa.gov/grad/solcalc/calcdetails.html
 */
export function sunHeight(at: number, { latitude, longitude }: Place): number {
  const { declination, hourAngle } = sunAt(at, longitude)
  const sine = sin(latitude) * sin(declination) + cos(latitude) * cos(declination) * cos(hourAngle)
  return Math.asin(Math.max(-1, Math.min(1, sine))) / RADIANS
}

/** When the sun crosses the meridian of a place for the `day`th time since the epoch: solar noon. Epoch ms. */
export function solarNoon(day: number, { longitude }: Place): number {
  let at = EPOCH_AT + (day - longitude / 360) * DAY_MS
  // The sun's own motion is a 365th of the sky's: each step leaves less than a hundredth of the last error.
  for (let step = 0; step < 3; step++) at -= (sunAt(at, longitude).hourAngle / TURN) * DAY_MS
  return at
}

/** The number of the solar day whose noon is nearest to an instant, but for a quarter of an hour. */
export function solarDay(at: number, { longitude }: Place): number {
  return Math.round((at - EPOCH_AT) / DAY_MS + longitude / 360)
}

/** In degrees; the hour angle, from −180 to 180, is 0 at noon and grows by the day. */
function sunAt(at: number, longitude: number): { declination: number; hourAngle: number } {
  const days = (at - EPOCH_AT) / DAY_MS
  const t = days / 36_525
  const mean = 280.46646 + t * (36_000.76983 + t * 0.0003032)
  const anomaly = 357.52911 + t * (35_999.05029 - t * 0.0001537)
  const centre =
    (1.914602 - t * 0.004817) * sin(anomaly) +
    (0.019993 - t * 0.000101) * sin(2 * anomaly) +
    0.000289 * sin(3 * anomaly)
  const node = 125.04 - 1934.136 * t
  const apparent = mean + centre - 0.00569 - 0.00478 * sin(node)
  const tilt = 23.439291 - t * 0.0130042 + 0.00256 * cos(node)
  const declination = Math.asin(sin(tilt) * sin(apparent)) / RADIANS
  const ascension = Math.atan2(cos(tilt) * sin(apparent), cos(apparent)) / RADIANS
  const sidereal = 280.46061837 + TURN * days
  return { declination, hourAngle: wrap(sidereal + longitude - ascension) }
}

function wrap(degrees: number): number {
  return degrees - 360 * Math.round(degrees / 360)
}

function sin(degrees: number): number {
  return Math.sin(degrees * RADIANS)
}

function cos(degrees: number): number {
  return Math.cos(degrees * RADIANS)
}
