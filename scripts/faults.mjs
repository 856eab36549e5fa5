// `npm run faults -- --minutes N --seed S --backend redis|postgres`: the random mix of faults at length, in rounds.
import { faultOptions } from './fault-options.mjs'
import { buildIfStale, setUp } from './setup.mjs'
import { needTestPrograms } from './test-programs.mjs'

const ROUND_MS = 20_000

const { minutes, seed: firstSeed, backend: name } = faultOptions('npm run faults')
setUp()
needTestPrograms()
buildIfStale()
const { startBackend } = await import('../dist/test/support/backends.js')
const { runMix } = await import('../dist/test/support/mix.js')

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, interrupted)
console.log(`Faults on ${name} for ${minutes} min, from --seed ${firstSeed} on; each round has a seed of its own.`)
const backend = await startBackend(name)
const reports = []
try {
  const until = performance.now() + minutes * 60_000
  const more = () => reports.length === 0 || performance.now() + ROUND_MS < until
  for (let seed = firstSeed; more() && !stop.signal.aborted; seed += 1) reports.push(await round(seed))
} finally {
  await backend.remove()
}
const violations = sum((report) => report.violations.length)
console.table({
  rounds: reports.length,
  ...prefixed('fault: ', (report) => report.faults),
  ...prefixed('call: ', (report) => report.calls),
  bodies: sum((report) => report.starts),
  ...prefixed('end: ', (report) => report.endings),
  violations,
})
process.exitCode = violations > 0 ? 1 : 0

/** A round that did not come to its end has failed as much as one with violations. */
async function round(seed) {
  const options = { backend, seed, ms: ROUND_MS, workers: 4, publishers: 3, signal: stop.signal }
  const report = await runMix(options).catch((error) => ({
    ...{ faults: {}, calls: {}, endings: {}, starts: 0 },
    violations: [`the round broke off: ${error.message}`],
  }))
  for (const violation of report.violations) console.log(`--seed ${seed}: ${violation}`)
  return report
}

function interrupted() {
  if (stop.signal.aborted) process.exit(130)
  console.log('Ending this round and checking it; once more ends at once.')
  stop.abort()
}

function sum(countOf) {
  return reports.reduce((total, report) => total + countOf(report), 0)
}

function prefixed(prefix, countsOf) {
  const sums = {}
  for (const report of reports) {
    for (const [name, count] of Object.entries(countsOf(report)))
      sums[prefix + name] = (sums[prefix + name] ?? 0) + count
  }
  return sums
}
