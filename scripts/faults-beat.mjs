// `npm run faults:beat -- --minutes N --seed S --backend redis|postgres`: beats killed and paused at length, in rounds.
import { faultOptions } from './fault-options.mjs'
import { buildIfStale, setUp } from './setup.mjs'
import { needTestPrograms } from './test-programs.mjs'

const ROUND_MS = 60_000

const { minutes, seed: firstSeed, backend: name } = faultOptions('npm run faults:beat')
setUp()
needTestPrograms()
buildIfStale()
const { startBackend } = await import('../dist/test/support/backends.js')
const { runStorm } = await import('../dist/test/support/beat-storm.js')
const { quantile } = await import('../dist/test/support/slot-checker.js')

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, interrupted)
console.log(`Beats on ${name} for ${minutes} min, from --seed ${firstSeed} on; each round has a seed of its own.`)
const backend = await startBackend(name)
const reports = []
const until = performance.now() + minutes * 60_000
try {
  for (let seed = firstSeed; leftMs() > 0 && !stop.signal.aborted; seed += 1) reports.push(await round(seed))
} finally {
  await backend.remove()
}
const lateMs = reports.flatMap((report) => report.lateMs).sort((a, b) => a - b)
const wrong = reports.flatMap((report) => report.wrong)
console.table({
  rounds: reports.length,
  slots: sum('slots'),
  ...decisions(),
  'late p50, ms': quantile(lateMs, 0.5),
  'late p99, ms': quantile(lateMs, 0.99),
  'late max, ms': quantile(lateMs, 1),
  kills: sum('kills'),
  pauses: sum('pauses'),
  ...Object.fromEntries(['missing', 'doubled', 'early', 'unmatched'].map((field) => [field, sum(field)])),
  'all that is wrong': wrong.length,
})
process.exitCode = wrong.length > 0 ? 1 : 0

function leftMs() {
  return until - performance.now()
}

/** A round that did not come to its end has failed as much as one with something wrong. */
async function round(seed) {
  const ms = Math.min(ROUND_MS, Math.max(5_000, leftMs()))
  const report = await runStorm({ backend, seed, ms, signal: stop.signal }).catch((error) => ({
    ...{ lateMs: [], decided: {}, slots: 0, kills: 0, pauses: 0, missing: 0, doubled: 0, early: 0, unmatched: 0 },
    wrong: [`the round broke off: ${error.message}`],
  }))
  for (const sentence of report.wrong) console.log(`--seed ${seed}: ${sentence}`)
  return report
}

function interrupted() {
  if (stop.signal.aborted) process.exit(130)
  console.log('Ending this round and checking it; once more ends at once.')
  stop.abort()
}

function sum(field) {
  return reports.reduce((total, report) => total + report[field], 0)
}

function decisions() {
  const sums = {}
  for (const { decided } of reports) {
    for (const [decision, slots] of Object.entries(decided))
      sums[`slots ${decision}`] = (sums[`slots ${decision}`] ?? 0) + slots
  }
  return sums
}
