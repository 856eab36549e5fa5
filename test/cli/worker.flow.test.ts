import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { START_STEPS } from '../../src/worker/start-step.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { until } from '../support/until.js'
import { type Command, fixture, runCommand, startCommand } from './command.js'

describe('worker and beat', function () {
  this.timeout(120_000)
  let server: PostgresServer
  let folder: string
  const started: Command[] = []
  /** Each test has an app of its own: what a killed worker had in its hands is delivered again, maybe minutes later. */
  let app = 'shop-0'
  before(async () => {
    server = await startPostgres()
    folder = mkdtempSync(join(tmpdir(), 'beatlock-worker-'))
  })
  afterEach(async () => {
    for (const { child, ended } of started.splice(0)) {
      child.kill('SIGKILL')
      await ended
    }
    app = `shop-${Number(app.split('-')[1]) + 1}`
  })
  after(async () => {
    rmSync(folder, { recursive: true })
    await server.remove()
  })

  const start = (module: string, ...args: string[]): Command => {
    const env = { SHOP_APP: app }
    const command = startCommand(['-A', fixture(module), '--broker', server.url, ...args], 'beatlock', { env })
    started.push(command)
    return command
  }
  const ask = (...args: string[]) => runCommand(['--app', app, '--broker', server.url, ...args])
  const call = (...args: string[]) => ask('call', ...args)

  it('tells at start what it serves and where, without the password', async () => {
    const { saw, output } = start('shop', 'worker', '-n', 'w1', '-c', '1', '-Q', 'reports,default', '-l', 'debug')
    await saw('tasks fails, feeds.refresh')
    assert.match(output.stdout, /worker w1@\S+ of app shop-\d+: 1 prefork child, queues reports, default\n/)
    assert.match(output.stdout, /broker postgres:\/\/127\.0\.0\.1:\d+\/\S+, locks postgres:\S+, barrier session\n/)
    assert.match(output.stdout, /INFO {2}beatlock \d+\.\d+\.\d+\S* on Node \d+\.\d+\.\d+, pid \d+\n/)
    assert.ok(!output.stdout.includes(server.connection.password))
    assert.match(output.stdout, /DEBUG start: app shop-\d+ of \S+shop\.js was read in [\d.]+ m?s\n/)
    const steps = [...output.stdout.matchAll(/DEBUG start (\S+: \w+(?: took)?)/g)].map(([, step]) => step)
    assert.deepEqual(
      steps,
      START_STEPS.flatMap((step, at) => [`${at + 1}/7: ${step}`, `${at + 1}/7: ${step} took`]),
    )
  })

  it('[P22] finishes what runs at the first SIGTERM, and says what it waits for', async () => {
    const { child, saw, ended } = start('shop', 'worker', '-c', '1')
    await saw('tasks ')
    const end = join(folder, 'end')
    await call('feeds.refresh', '--args', JSON.stringify([7, 0, end]))
    await saw('started feeds.refresh feedId=7')
    child.kill('SIGTERM')
    await saw('worker is stopping')
    writeFileSync(end, '')
    const { code, stdout } = await ended
    assert.equal(code, 0)
    assert.match(
      stdout,
      /worker is stopping: it waits for 1 run \(feeds\.refresh feedId=7\), 5m at most; a second signal ends it at once/,
    )
    assert.match(stdout, /ran feeds\.refresh feedId=7 .*\n.*worker has stopped\n$/)
  })

  it('kills what runs at the second signal; its key stays queued for its redelivery', async () => {
    const { child, saw, ended, output } = start('shop', 'worker', '-c', '1')
    await saw('tasks ')
    await call('feeds.refresh', '--args', '[2, 120000]')
    await saw('started feeds.refresh feedId=2')
    child.kill('SIGINT')
    await saw('worker is stopping: it waits')
    // Signals that come together are one.
    const told = () => output.stdout.includes('stopping at once')
    await until(() => told() || (child.kill('SIGINT') && told()), { everyMs: 300, what: 'a cold stop' })
    assert.equal((await ended).code, 1)
    const { stdout } = await ask('locks', 'list')
    assert.match(stdout, /feeds\.refresh feedId=2 +queued/)
  })

  it('-B runs a beat that skips while the task runs, and names the holder', async () => {
    const { saw, output } = start('timetable', 'worker', '-B', '-n', 'w1@db2', '-c', '2')
    await saw(/skipped refresh-7 slot \d\d:\d\d(:\d\d)? held by b-\S+ on w1@db2 \(running [\d.]+ m?s\)\n/)
    assert.match(output.stdout, /entry refresh-7: feeds\.refresh, every 1s, UTC, overlap skip, next \S+Z \(in /)
    assert.doesNotMatch(output.stdout, /ERROR/)
  })

  it('hands the headers of a call, and of an entry that was added, to the body', async () => {
    const { saw } = start('timetable', 'worker', '-B', '-c', '1')
    await saw('entry refresh-7')
    const called = await call('headed', '--headers', '{"tenant": "7"}', '--wait', '30s')
    assert.match(called.stdout, /\{"tenant":"7"\}\n$/, called.stderr)
    const wrong = await call('headed', '--headers', '{"tenant": 7}')
    assert.deepEqual([wrong.code, wrong.stderr.includes('headers["tenant"] must be text')], [2, true], wrong.stderr)
    const entry = [
      'late',
      '--task',
      'headed',
      '--schedule',
      'at 2090-01-01T00:00:00Z',
      '--headers',
      '{"trace": "4f2a"}',
    ]
    assert.equal((await ask('schedule', 'add', ...entry)).code, 0)
    const { decision } = JSON.parse((await ask('schedule', 'run', 'late', '--json')).stdout)
    const result = await ask('result', decision.id, '--wait', '30s')
    assert.match(result.stdout, /\{"trace":"4f2a"\}/, result.stderr)
  })

  it('-B starts its beat again when that dies or by SIGHUP, always one, and ends it with a warm stop', async () => {
    const { child, saw, ended } = start('timetable', 'worker', '-B', '-c', '1')
    await saw('beat of app shop')
    const first = await beatOf(child.pid)
    process.kill(first, 'SIGKILL')
    await saw(/beat ended \(SIGKILL\); starting it again in .*beat of app shop/s)
    const second = await beatOf(child.pid)
    assert.notEqual(second, first)
    child.kill('SIGHUP')
    await saw('worker has replaced its children')
    const third = await until(async () => {
      const now = await beatOf(child.pid)
      return now === second ? undefined : now
    })
    assert.ok(isGone(second), 'two beats at once')
    await saw(/(beat of app shop.*){3}/s)
    child.kill('SIGTERM')
    const { code, stdout } = await ended
    assert.equal(code, 0)
    assert.ok(isGone(third))
    assert.equal(stdout.match(/beat ended/g)?.length, 1, 'a beat that was to end is no failure')
  })

  it('-B leaves no beat behind when the worker is killed, also when the loop of that beat is blocked', async () => {
    const { child, saw } = start('spinning', 'worker', '-B', '-c', '1')
    await saw('spinning')
    const beat = await beatOf(child.pid)
    try {
      child.kill('SIGKILL')
      await until(() => isGone(beat), { timeoutMs: 2000, what: 'the beat to end with its worker' })
    } finally {
      if (!isGone(beat)) process.kill(beat, 'SIGKILL')
    }
  })

  it('tries again while its server is away, says so at once and when it is back', async () => {
    await server.stop()
    const { saw, child, ended } = start('timetable', 'beat')
    try {
      await saw(/WARN {2}postgres:\/\/127\.0\.0\.1:\d+\S* cannot be reached: .*; trying again in /)
    } finally {
      await server.restart()
    }
    await saw(/INFO {2}the server answers after /)
    await saw(/beat of app shop-\d+: 1 entry/)
    child.kill('SIGTERM')
    assert.equal((await ended).code, 0)
  })
})

/** The process that a worker forked as its beat. */
function beatOf(worker: number | undefined): Promise<number> {
  return until(
    () => {
      const children = readFileSync(`/proc/${worker}/task/${worker}/children`, 'utf8').trim().split(' ').map(Number)
      return children.find((pid) => commandOf(pid).includes('beat-entry'))
    },
    { what: 'a beat to run' },
  )
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

/** A zombie runs no more; who should reap an orphan may be slow. */
function isGone(pid: number): boolean {
  return commandOf(pid) === ''
}
