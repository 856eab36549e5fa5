// `npm run faults -- --minutes N --seed S --backend redis|postgres`: the random mix of faults at length, in rounds.
import { parseArgs } from 'node:util'
import { buildIfStale, setUp } from './setup.mjs'
import { needTestPrograms } from './test-programs.mjs'

const ROUND_MS = 20_000

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    backend: { type: 'string', default: 'redis' },
  },
})
if (!['redis', 'postgres'].includes(values.backend) || !(Number(values.minutes) > 0)) {
  console.error('Usage: npm run faults -- [--minutes N] [--seed S] [--backend redis|postgres]')
  process.exit(2)
}
setUp()
needTestPrograms()
buildIfStale()
const { startBackend } = await import('../dist/test/support/backends.js')
const { runMix } = await import('../dist/test/support/mix.js')

console.log(`Faults on ${values.backend} for ${values.minutes} min, from --seed ${values.seed} on.`)
const backend = await startBackend(values.backend)
const reports = []
try {
  const until = performance.now() + Number(values.minutes) * 60_000
  for (let seed = Number(values.seed); reports.length === 0 || performance.now() + ROUND_MS < until; seed += 1) {
    const report = await runMix({ url: backend.url, seed, ms: ROUND_MS, workers: 4, publishers: 3 })
    reports.push(report)
    for (const violation of report.violations) console.log(`--seed ${seed}: ${violation}`)
  }
} finally {
  await backend.remove()
}
const violations = reports.reduce((sum, report) => sum + report.violations.length, 0)
console.table({
  rounds: reports.length,
  ...prefixed('fault: ', (report) => report.faults),
  ...prefixed('call: ', (report) => report.calls),
  bodies: reports.reduce((sum, report) => sum + report.starts, 0),
  ...prefixed('end: ', (report) => report.endings),
  violations,
})
process.exitCode = violations > 0 ? 1 : 0

function prefixed(prefix, countsOf) {
  const sums = {}
  for (const report of reports) {
    for (const [name, count] of Object.entries(countsOf(report)))
      sums[prefix + name] = (sums[prefix + name] ?? 0) + count
  }
  return sums
}
