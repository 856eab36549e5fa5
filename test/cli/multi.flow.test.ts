import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readPidfile } from '../../src/cli/pidfile.js'
import { App } from '../../src/index.js'
import { lives } from '../../src/lock/born.js'
import { projectRoot } from '../support/project-root.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'
import { type Ended, fixture, startCommand } from './command.js'

interface Shown {
  readonly name: string
  readonly state: string
  readonly pid: number | null
}

/** The commands of the README, in order: start, restart, show, stop. */
const readme = readFileSync(join(projectRoot(), 'README.md'), 'utf8')
const [START, RESTART, SHOW, STOP] = [
  ...readme.matchAll(/^npx beatlock (.*\bmulti (?:start|restart|show|stop) .*)$/gm),
].map(([, words = '']) => words.split(' ')) as [string[], string[], string[], string[]]
const REPORTS = { queue: 'reports' }

describe('multi: several workers on one host', function () {
  this.timeout(120_000)
  let server: RedisServer
  let folder: string
  let app: App

  before(async () => {
    server = await startRedis()
    folder = mkdtempSync(join(tmpdir(), 'beatlock-multi-'))
    writeFileSync(join(folder, 'app.js'), `export { app } from '${pathToFileURL(fixture('shop')).href}'\n`)
    app = new App('shop', { broker: server.url })
  })
  after(async () => {
    const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    for (const name of names.filter((each) => each.endsWith('.pid'))) {
      const left = readPidfile(join(folder, name))
      // Each leads a group of its own.
      if (left.state === 'running') process.kill(-left.pid, 'SIGKILL')
    }
    await app?.close()
    await server?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  function multi(words: readonly string[]): Promise<Ended> {
    const here = { cwd: folder, env: { BEATLOCK_BROKER: server.url } }
    return startCommand(words, 'beatlock', here).ended
  }
  const show = async () => JSON.parse((await multi(SHOW)).stdout) as Shown[]
  const pidOf = (name: string) => Number(readFileSync(join(folder, 'run', `${name}.pid`), 'utf8').split('\n')[0])

  it('starts them with options of all and of one, and returns when they take messages', async () => {
    const { code, stdout, stderr } = await multi(START)
    assert.equal(code, 0, stdout + stderr)
    assert.match(stdout, /^w1@\S+: started, pid \d+, log \S+\/log\/w1\.log$/m)
    const logs = ['w1', 'w2'].map((name) => readFileSync(join(folder, 'log', `${name}.log`), 'utf8'))
    assert.match(logs[0] ?? '', /worker w1@\S+ of app shop: 2 prefork children, queue default\n/)
    assert.match(logs[1] ?? '', /worker w2@\S+ of app shop: 2 prefork children, queue reports\n/)
    assert.deepEqual(
      (await show()).map(({ state, pid }) => [state, pid]),
      [
        ['running', pidOf('w1')],
        ['running', pidOf('w2')],
      ],
    )
  })

  it('does not start one twice, says so, and leaves the first alone', async () => {
    const pid = pidOf('w1')
    const { code, stdout } = await multi(START)
    assert.deepEqual([code, pidOf('w1')], [1, pid])
    assert.match(stdout, new RegExp(`^w1@\\S+: runs already, pid ${pid}; restart`))
    const worker = ['-A', fixture('shop'), 'worker', '-n', 'w1', '--pidfile', join(folder, 'run', 'w1.pid')]
    const twin = await multi(worker)
    assert.equal(twin.code, 2)
    assert.match(twin.stderr, new RegExp(`w1\\.pid: a worker has it that runs, pid ${pid}`))
  })

  it('[P22] restarts one after the other: what runs ends, what is queued runs, each once', async () => {
    const before = [pidOf('w1'), pidOf('w2')]
    const calls = [
      await app.sendTask('feeds.refresh', [1, 1500]),
      await app.sendTask('feeds.refresh', [2, 1500], REPORTS),
    ]
    await until(() => calls.every(({ id }) => linesOf('started', id) === 1), { what: 'both to run' })
    const restarting = multi(RESTART)
    calls.push(await app.sendTask('feeds.refresh', [3], REPORTS))
    const { code, stdout } = await restarting
    assert.equal(code, 0, stdout)
    assert.ok(before.every((pid) => !lives({ pid, start: 0, space: 0 })))
    for (const [at, call] of calls.entries()) {
      assert.equal(await call.get({ timeout: '20s' }), at + 1)
      assert.deepEqual([linesOf('started', call.id), linesOf('ran', call.id)], [1, 1])
    }
  })

  it('leaves a worker alone at a restart whose log cannot be written', async () => {
    const pid = pidOf('w1')
    const { code, stdout } = await multi([...RESTART, '--logfile', 'app.js/%n.log'])
    assert.equal(code, 1)
    assert.match(stdout, /^w1@\S+: failed: --logfile \S+app\.js\/w1\.log cannot be written: E\w+/m)
    assert.deepEqual([pidOf('w1'), (await show())[0]?.state], [pid, 'running'])
  })

  it('leaves all workers alone at a restart whose options or app a worker would refuse', async () => {
    const before = [pidOf('w1'), pidOf('w2')]
    const refused = [
      [['-c:w2', 'many'], /-c must be a whole number from 1 to 1000, got 'many'/],
      [['--autoscale', '8,2'], /--autoscale says how many children there are: leave -c out/],
      [['-P:w2', 'gevent'], /-P must be prefork or solo, got 'gevent'/],
      [['-A', './gone.js'], /app module \.\/gone\.js does not exist/],
    ] as const
    for (const [words, sentence] of refused) {
      const { code, stdout, stderr } = await multi([...RESTART, ...words])
      assert.deepEqual([code, stdout], [2, ''])
      assert.match(stderr, sentence)
    }
    assert.deepEqual([pidOf('w1'), pidOf('w2')], before)
    assert.deepEqual(
      (await show()).map(({ state }) => state),
      ['running', 'running'],
    )
  })

  it('finds out a pidfile that a killed worker left, also when another process has its pid', async () => {
    const [, born = ''] = readFileSync(join(folder, 'run', 'w1.pid'), 'utf8').split('\n')
    process.kill(-pidOf('w1'), 'SIGKILL')
    await until(async () => (await show())[0]?.state === 'stale', { what: 'it to be gone' })
    // This process got the number of the one that died.
    writeFileSync(join(folder, 'run', 'w1.pid'), `${process.pid}\n${born}\n`)
    const [shown] = await show()
    assert.deepEqual([shown?.state, shown?.pid], ['stale', process.pid])
    const stopped = await multi(STOP)
    assert.equal(stopped.code, 0)
    assert.match(stopped.stdout, /^w1@\S+: did not run$/m)
    assert.match(stopped.stdout, /^w2@\S+: stopped, pid \d+$/m)
    assert.ok(!existsSync(join(folder, 'run', 'w1.pid')) && !existsSync(join(folder, 'run', 'w2.pid')))
    assert.equal((await multi(STOP)).code, 3)
  })

  it('tells why one did not start, and does not touch the others at a restart then', async () => {
    const { code, stdout } = await multi(['-A', fixture('broken'), 'multi', 'restart', 'b1', 'b2', '-c', '1'])
    assert.equal(code, 1)
    assert.match(
      stdout,
      /^b1@\S+: failed: it ended with exit code 2: .*RangeError: the shop is closed.* \(see \S+b1\.log\)\n/,
    )
    assert.match(stdout, /\nb2@\S+: left as it is\n$/)
    assert.ok(!existsSync(join(folder, 'b1.pid')) && !existsSync(join(folder, 'b2.log')))
  })

  it('tells of one that is not ready in time, and ends it while it still tries', async () => {
    const away = ['-A', fixture('shop'), '--broker', 'redis://127.0.0.1:1', 'multi']
    const { code, stdout } = await multi([...away, 'start', 't1', '--timeout', '2s'])
    assert.equal(code, 1)
    assert.match(stdout, /^t1@\S+: failed: it \(pid \d+\) was not ready within 2 s and goes on trying/)
    const pid = Number(/pid (\d+)/.exec(stdout)?.[1])
    const log = join(folder, 't1.log')
    await until(() => readFileSync(log, 'utf8').includes('cannot be reached'), { timeoutMs: 30_000, what: 'a try' })
    assert.ok(lives({ pid, start: 0, space: 0 }))
    const stopped = await multi([...away, 'stop', 't1'])
    assert.deepEqual([stopped.code, lives({ pid, start: 0, space: 0 })], [0, false], stopped.stdout)
  })

  function linesOf(what: 'started' | 'ran', id: string): number {
    const logs = ['w1', 'w2'].map((name) => readFileSync(join(folder, 'log', `${name}.log`), 'utf8')).join('')
    return logs.split('\n').filter((line) => line.includes(` ${what} `) && line.includes(`[${id}]`)).length
  }
})
