import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../support/until.js'
import { root } from './log-rollup.js'

describe('the demonstration', () => {
  let folder: string
  let broker: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'beatlock-test-demo-'))
    // As root the embedded server runs as another user, who has to get in.
    chmodSync(folder, 0o755)
    mkdirSync(join(folder, 'temp'))
    broker = `embedded:${join(folder, 'server')}`
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('[P2] counts lines twice unguarded, and exactly once guarded, also across a kill -9', async function () {
    this.timeout(120_000)
    const demo = start('--broker', broker, '--seconds', '6')
    assert.equal(await demo.exitCode, 0, demo.output())
    assert.match(demo.output(), /^verdict +counted twice +exact +exact$/m)
    assert.match(demo.output(), /^kill -9 to key queued again +– +\d+ ms +\d+ ms$/m)
    assert.match(demo.output(), /^kill -9 to body again +– +\d+ ms +\d+ ms$/m)
    assert.deepEqual(left(demo), { processes: [], files: [] })
  })

  it('ends at Ctrl-C, which npm makes two, and leaves no process and no file', async function () {
    this.timeout(120_000)
    const demo = start('--broker', broker)
    await until(() => /running .+ for/.test(demo.output()), { timeoutMs: 30_000, what: 'a run in the live line' })
    assert.notDeepEqual(left(demo), { processes: [], files: [] })
    demo.process.kill('SIGINT')
    demo.process.kill('SIGINT')
    assert.equal(await demo.exitCode, 130, demo.output())
    assert.deepEqual(left(demo), { processes: [], files: [] })
  })

  for (const { what, args, exitCode, says } of [
    {
      what: 'an unknown option',
      args: ['--secnods', '9'],
      exitCode: 2,
      says: /'--secnods'\n\(Did you mean --seconds\?\)/,
    },
    { what: 'a number that is none', args: ['--seconds', 'ten'], exitCode: 2, says: /'ten' is invalid.*at least 6/ },
    {
      what: 'a value without its option',
      args: ['redis://u:pw@host'],
      exitCode: 2,
      says: /'redis:\/\/host'.*after --/,
    },
    {
      what: 'a URL of no server',
      args: ['--broker', 'mysql://u:pw@host'],
      exitCode: 2,
      says: /'mysql:\/\/host' is no server/,
    },
    {
      what: 'a server of one process',
      args: ['--broker', 'memory:'],
      exitCode: 2,
      says: /memory: lives in one process/,
    },
    {
      what: 'a server that does not answer',
      args: ['--broker', 'postgres://u:pw@127.0.0.1:1/x'],
      exitCode: 69,
      says: /^postgres:\/\/127\.0\.0\.1:1\/x cannot be reached: .+$/,
    },
  ]) {
    it(`answers ${what} with one sentence and exit code ${exitCode}`, async () => {
      const demo = start(...args)
      assert.equal(await demo.exitCode, exitCode)
      assert.match(demo.output().trim(), says)
      assert.doesNotMatch(demo.output(), /pw|\bat .+:\d+:\d+/)
    })
  }

  const start = (...args: string[]): Demo => run(args, join(folder, 'temp'))
  const left = (demo: Demo) => leftIn(join(folder, 'temp'), demo.output())
})

interface Demo {
  readonly process: ChildProcess
  readonly exitCode: Promise<number | null>
  output(): string
}

function run(args: readonly string[], temp: string): Demo {
  const { BEATLOCK_BROKER: _, BEATLOCK_LOCKS: __, ...others } = process.env
  const env = { ...others, TMPDIR: temp }
  const demo = spawn(process.execPath, [join(root, 'examples/log-rollup/run.js'), ...args], { env })
  let text = ''
  for (const stream of [demo.stdout, demo.stderr]) stream.setEncoding('utf8').on('data', (chunk) => (text += chunk))
  return { process: demo, exitCode: once(demo, 'close').then(([code]) => code), output: () => text }
}

/** Processes of this very run, told by their environment, and its temporary files. */
function leftIn(temp: string, output: string): { processes: string[]; files: string[] } {
  const app = /App (log-rollup-\w+) on/.exec(output)?.[1]
  const processes = existsSync('/proc')
    ? readdirSync('/proc').filter((pid) => environmentOf(pid).includes(`=${app}\0`))
    : []
  const files = readdirSync(temp)
  return { processes, files }
}

function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8')
  } catch {
    return ''
  }
}
