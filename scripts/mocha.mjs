// One mocha process for one set of test files, its counts told to us. No dependency of its own.
import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './setup.mjs'

/** A test process that lives on after its last test holds something that a test left behind. */
const LEAK_MS = 10_000
const ALL = 'dist/test/**/*.test.js'

/**
 * One process, one test after the other; it has to end by itself. A run that takes longer than `limitMs` is killed and
 * counts as one failure more.
 *
 * @returns {Promise<{ passed: number, failed: number }>}
 */
export async function runMocha({ args = [], spec = [ALL], env = {}, limitMs }) {
  // Mocha would run the node options of its own configuration in a grandchild, which could tell us nothing.
  const config = JSON.parse(readFileSync(join(root, '.mocharc.json'), 'utf8'))
  const options = ['--no-config', '--timeout', config.timeout, '--reporter', 'scripts/reporter.cjs', ...args]
  const mocha = fork('node_modules/mocha/bin/mocha.js', [...options, ...spec], {
    cwd: root,
    env: { ...process.env, ...env },
    execArgv: config['node-option'].map((flag) => `--${flag}`),
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const kill = () => mocha.kill('SIGKILL')
  process.once('exit', kill)
  let counts = { passed: 0, failed: 0 }
  let why
  const killLater = (ms, reason) =>
    setTimeout(() => {
      why = reason
      mocha.kill('SIGKILL')
    }, ms)
  const limit = limitMs && killLater(limitMs, `The tests did not end within ${limitMs / 60_000} min.`)
  let leak
  mocha.on('message', (told) => {
    counts = told
    leak = killLater(
      LEAK_MS,
      `The test process did not end within ${LEAK_MS / 1000} s of its last test: a test left a timer, socket or process.`,
    )
  })
  const { code, signal } = await new Promise((resolve) => {
    mocha.on('exit', (code, signal) => resolve({ code, signal }))
  })
  process.off('exit', kill)
  clearTimeout(leak)
  clearTimeout(limit)
  if (code === 0 || counts.failed > 0) return counts
  console.error(why ?? `The test process ended with ${signal ?? `exit code ${code}`}.`)
  return { ...counts, failed: counts.failed + 1 }
}

/** The last line of a run, and its exit code: a run of no test has failed. */
export function tell({ passed, failed }) {
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0
}
