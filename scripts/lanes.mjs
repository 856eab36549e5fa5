// All test files in two processes side by side, since most tests wait for a server or a clock. No dependency of its own.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './setup.mjs'

/** A test process that lives on after its last test holds something that a test left behind. */
const LEAK_MS = 10_000
const SLOWEST = 12

/**
 * Each process takes its next file when it has ended one: the first from the front of the list, the second from its end.
 * There the files are that wait most, in the middle those of a second or less, where the two meet.
 *
 * @returns {Promise<{ passed: number, failed: number }>}
 */
export async function runLanes() {
  const files = testFiles()
  const played = []
  const take = [() => files.shift(), () => files.pop()]
  const wrong = (await Promise.all(take.map((next) => runLane(next, played)))).flat()
  wrong.push(...files.map((file) => `${file} was not run.`))
  const failed = played.flatMap(({ file, failed }) => failed.map((title) => `${file}: ${title}`))
  console.log(`\nslowest: ${slowest(played)}\n`)
  for (const each of [...failed, ...wrong]) console.log(`FAILED ${each}`)
  return { passed: played.reduce((sum, { passed }) => sum + passed, 0), failed: failed.length + wrong.length }
}

/** Runs what `next` hands out until there is no more; answers what went wrong beside the tests, as sentences. */
async function runLane(next, played) {
  const { timeout, 'node-option': flags } = JSON.parse(readFileSync(join(root, '.mocharc.json'), 'utf8'))
  const lane = fork(join(root, 'scripts/lane.mjs'), [timeout], {
    cwd: root,
    execArgv: flags.map((flag) => `--${flag}`),
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const kill = () => lane.kill('SIGKILL')
  process.once('exit', kill)
  let file
  let leak
  lane.on('message', (told) => {
    if (told.say === 'played') {
      played.push(told)
      return
    }
    file = next()
    lane.send({ file })
    if (file === undefined) leak = setTimeout(kill, LEAK_MS)
  })
  const [code, signal] = await once(lane, 'exit')
  process.off('exit', kill)
  clearTimeout(leak)
  if (code === 0 && file === undefined) return []
  if (file === undefined && signal === 'SIGKILL') {
    const seconds = LEAK_MS / 1000
    return [`A test process did not end within ${seconds} s of its last test: a test left a timer, socket or process.`]
  }
  return [`A test process ended with ${signal ?? `exit code ${code}`}${file === undefined ? '' : ` in ${file}`}.`]
}

/** Those that wait for servers, leases and processes at both ends. */
function testFiles() {
  const all = readdirSync(join(root, 'dist/test'), { recursive: true, encoding: 'utf8' })
  const files = all.filter((file) => file.endsWith('.test.js')).map((file) => `dist/test/${file}`)
  return files.sort((one, other) => placeOf(one) - placeOf(other) || (one < other ? -1 : 1))
}

function placeOf(file) {
  if (!/\.(flow|race|fault)\.test\.js$/.test(file)) return 1
  return /^dist\/test\/(adapters|flow)\//.test(file) ? 2 : 0
}

function slowest(played) {
  const files = [...played].sort(({ ms: one }, { ms: other }) => other - one).slice(0, SLOWEST)
  return files.map(({ file, ms }) => `${file.replace('dist/test/', '')} ${Math.round(ms / 1000)} s`).join(', ')
}
