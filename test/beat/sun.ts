const DEGREE = Math.PI / 180
const DAY_MS = 86_400_000

/**
 * How high the sun's centre stands, in degrees and without the air: the short formulas of the Astronomical Almanac, good
 * to a hundredth of a degree for 1950 to 2050. The tests' witness, independent of the library.
 *
 * @see https://aa.usno.navy.mil/faq/sun_approx
 */
export function sunHeight(at: number, latitude: number, longitude: number): number {
  const days = at / DAY_MS + 2_440_587.5 - 2_451_545
  const anomaly = (357.529 + 0.98560028 * days) * DEGREE
  const mean = 280.459 + 0.98564736 * days
  const ecliptic = (mean + 1.915 * Math.sin(anomaly) + 0.02 * Math.sin(2 * anomaly)) * DEGREE
  const tilt = (23.439 - 0.00000036 * days) * DEGREE
  const declination = Math.asin(Math.sin(tilt) * Math.sin(ecliptic))
  const ascension = Math.atan2(Math.cos(tilt) * Math.sin(ecliptic), Math.cos(ecliptic))
  const sidereal = (280.46061837 + 360.98564736629 * days + longitude) * DEGREE
  const place = latitude * DEGREE
  const sine =
    Math.sin(place) * Math.sin(declination) + Math.cos(place) * Math.cos(declination) * Math.cos(sidereal - ascension)
  return Math.asin(sine) / DEGREE
}
