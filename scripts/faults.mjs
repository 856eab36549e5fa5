// `npm run faults -- --minutes N --seed S [--backend NAME]`: the random mix of faults at length, in rounds; on every
// backend, one after the other, it also writes the figures of docs/RELIABILITY.md.
import { faultOptions } from './fault-options.mjs'
import { writeReliability } from './reliability.mjs'
import { buildIfStale, setUp } from './setup.mjs'
import { needTestPrograms } from './test-programs.mjs'

const ROUND_MS = 20_000
const BACKENDS = ['redis', 'postgres', 'redis+quorum', 'redis that forgets']

const { minutes, seed: firstSeed, backend: chosen } = faultOptions('npm run faults', { backends: BACKENDS, all: true })
setUp()
needTestPrograms()
buildIfStale()
const { startBackend } = await import('../dist/test/support/backends.js')
const { runMix } = await import('../dist/test/support/mix.js')

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, interrupted)
const names = chosen === 'all' ? BACKENDS : [chosen]
const played = []
for (const name of names) if (!stop.signal.aborted) played.push(await play(name, minutes / names.length))
if (chosen === 'all' && !stop.signal.aborted) writeReliability(played)
process.exitCode = played.some(({ reports }) => sum(reports, violationsOf) > 0) ? 1 : 0

async function play(name, share) {
  console.log(`Faults on ${name} for ${share} min, from --seed ${firstSeed} on; each round has a seed of its own.`)
  const backend = await startBackend(name)
  const reports = []
  try {
    const until = performance.now() + share * 60_000
    const more = () => reports.length === 0 || performance.now() + ROUND_MS < until
    for (let seed = firstSeed; more() && !stop.signal.aborted; seed += 1)
      reports.push(await round({ name, backend }, seed))
  } finally {
    await backend.remove()
  }
  console.table({
    rounds: reports.length,
    ...prefixed(reports, 'fault: ', ({ faults }) => faults),
    ...prefixed(reports, 'call: ', ({ calls }) => calls),
    bodies: sum(reports, ({ starts }) => starts),
    ...prefixed(reports, 'end: ', ({ endings }) => endings),
    violations: sum(reports, violationsOf),
  })
  return { name, minutes: share, firstSeed, reports }
}

/** A round that did not come to its end has failed as much as one with violations. */
async function round({ name, backend }, seed) {
  const options = { backend, seed, ms: ROUND_MS, workers: 4, publishers: 3, signal: stop.signal }
  const report = await runMix(options).catch((error) => ({
    ...{ faults: {}, calls: {}, endings: {}, starts: 0 },
    judgements: [{ promises: 'an end', found: [`the round broke off: ${error.message}`] }],
  }))
  const found = report.judgements.flatMap((judgement) => judgement.found)
  for (const violation of found) console.log(`--seed ${seed}: ${violation}`)
  const strikes = Object.values(report.faults).reduce((total, count) => total + count, 0)
  console.error(`seed ${seed} on ${name}: ${report.starts} bodies, ${strikes} faults, ${found.length} violations`)
  return report
}

function interrupted() {
  if (stop.signal.aborted) process.exit(130)
  console.log('Ending this round and checking it; once more ends at once.')
  stop.abort()
}

function violationsOf({ judgements }) {
  return sum(judgements, ({ found }) => found.length)
}

function sum(list, countOf) {
  return list.reduce((total, each) => total + countOf(each), 0)
}

function prefixed(reports, prefix, countsOf) {
  const sums = {}
  for (const report of reports) {
    for (const [name, count] of Object.entries(countsOf(report)))
      sums[prefix + name] = (sums[prefix + name] ?? 0) + count
  }
  return sums
}
