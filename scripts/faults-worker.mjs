// `npm run faults:worker -- --tasks N --seed S --backend redis|postgres`: short tasks under kills at random, in rounds.
import { faultOptions } from './fault-options.mjs'
import { buildIfStale, setUp } from './setup.mjs'
import { needTestPrograms } from './test-programs.mjs'

/** Each body looks through the lines of all before it: larger rounds would take longer than their work. */
const ROUND_TASKS = 500

const length = { name: 'tasks', default: '10000' }
const { tasks, seed: firstSeed, backend: name } = faultOptions('npm run faults:worker', { length })
setUp()
needTestPrograms()
buildIfStale()
const { startBackend } = await import('../dist/test/support/backends.js')
const { runWorkStorm } = await import('../dist/test/support/work-storm.js')

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, interrupted)
console.log(`${tasks} tasks on ${name}, from --seed ${firstSeed} on; each round has a seed of its own.`)
const backend = await startBackend(name)
const reports = []
try {
  for (let left = tasks; left > 0 && !stop.signal.aborted; left -= ROUND_TASKS) {
    reports.push(await round(firstSeed + reports.length, Math.min(left, ROUND_TASKS)))
  }
} finally {
  await backend.remove()
}
const violations = sum((report) => report.violations.length)
console.table({
  rounds: reports.length,
  ...Object.fromEntries(
    ['child', 'parent', 'server'].map((kind) => [`killed: ${kind}`, sum(({ kills }) => kills[kind])]),
  ),
  calls: sum(({ calls }) => calls),
  starts: sum(({ starts }) => starts),
  ...Object.fromEntries(outcomes().map((outcome) => [`end: ${outcome}`, sum(({ endings }) => endings[outcome] ?? 0)])),
  violations,
})
process.exitCode = violations > 0 ? 1 : 0

/** A round that did not come to its end has failed as much as one with violations. */
async function round(seed, count) {
  const report = await runWorkStorm({ backend, seed, tasks: count, signal: stop.signal }).catch((error) => ({
    ...{ kills: { child: 0, parent: 0, server: 0 }, calls: 0, starts: 0, endings: {} },
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

function outcomes() {
  return [...new Set(reports.flatMap(({ endings }) => Object.keys(endings)))].sort()
}

function sum(countOf) {
  return reports.reduce((total, report) => total + countOf(report), 0)
}
