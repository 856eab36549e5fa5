/**
 * Lines of a web access log in the common log format, the same ones for the same seed: sessions of a few clients,
 * popular and rare paths, statuses that fit them, 40 simulated seconds a real one at 250 lines a second.
 */

const START = Date.UTC(2026, 0, 15, 9, 0, 0)
const MEAN_GAP_MS = 160
const CLIENTS = 180
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** Path, weight, method, statuses with their weights, mean size. */
const PAGES = /** @type {const} */ ([
  ['/', 30, 'GET', { 200: 93, 304: 7 }, 5120],
  ['/news', 18, 'GET', { 200: 88, 304: 12 }, 9400],
  ['/assets/app.css', 16, 'GET', { 200: 35, 304: 65 }, 18200],
  ['/assets/app.js', 16, 'GET', { 200: 35, 304: 65 }, 84300],
  ['/search', 9, 'GET', { 200: 96, 400: 2, 503: 2 }, 7300],
  ['/feeds/7.xml', 6, 'GET', { 200: 70, 304: 30 }, 22100],
  ['/login', 3, 'POST', { 302: 80, 401: 18, 500: 2 }, 310],
  ['/admin', 1, 'GET', { 403: 90, 200: 10 }, 420],
  ['/old-page', 1, 'GET', { 404: 100 }, 196],
])

/**
 * @param {number} seed
 * @returns {Generator<string, never>} lines, each with its line feed
 */
export function* accessLines(seed) {
  const random = randomOf(seed)
  for (let at = START; ; at += Math.round(-Math.log(1 - random()) * MEAN_GAP_MS)) {
    const client = Math.floor(random() ** 2 * CLIENTS)
    const [path, , method, statuses, size] = pick(PAGES, ([, weight]) => weight, random())
    const [status] = pick(Object.entries(statuses), ([, weight]) => weight, random())
    const bytes = status === '304' ? '-' : Math.round(size * (0.8 + 0.4 * random()))
    const host = `10.20.${client % 8}.${10 + client}`
    yield `${host} - - [${stamp(at)}] "${method} ${path} HTTP/1.1" ${status} ${bytes}\n`
  }
}

/**
 * @template T
 * @param {readonly T[]} items
 * @param {(item: T) => number} weightOf
 * @param {number} chance 0 … 1
 * @returns {T}
 */
function pick(items, weightOf, chance) {
  let left = chance * items.reduce((sum, item) => sum + weightOf(item), 0)
  const found = items.find((item) => {
    left -= weightOf(item)
    return left < 0
  })
  return /** @type {T} */ (found ?? items.at(-1))
}

/** @param {number} at */
function stamp(at) {
  const time = new Date(at)
  const clock = time.toISOString().slice(11, 19)
  const day = String(time.getUTCDate()).padStart(2, '0')
  return `${day}/${MONTHS[time.getUTCMonth()]}/${time.getUTCFullYear()}:${clock} +0000`
}

/**
 * Mulberry32: small, and the same on every machine.
 *
 * @param {number} seed
 * @returns {() => number} 0 ≤ x < 1
 */
function randomOf(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
