import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { servedQueues } from '../../src/cli/unserved.js'
import { App } from '../../src/index.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'
import { type Command, type Ended, fixture, runCommand, startCommand } from './command.js'

describe('a fleet of two workers', function () {
  this.timeout(120_000)
  let server: RedisServer
  let folder: string
  let w1: Command
  let w2: Command
  let app: App
  const start = (name: string): Command =>
    startCommand(['-A', fixture('shop'), '--broker', server.url, 'worker', '-c', '1', '-n', name])
  const run = (...args: string[]): Promise<Ended> => runCommand(['--app', 'shop', '--broker', server.url, ...args])
  before(async () => {
    server = await startRedis()
    folder = mkdtempSync(join(tmpdir(), 'beatlock-fleet-'))
    app = new App('shop', { broker: server.url })
    w1 = start('w1@here')
    await w1.saw('tasks fails')
    w2 = start('w2@here')
    await w2.saw('tasks fails')
  })
  after(async () => {
    await app.close()
    for (const { child, ended } of [w1, w2]) {
      child.kill('SIGKILL')
      await ended
    }
    await server.stop()
    rmSync(folder, { recursive: true })
  })

  it('answers questions, all of it or those that are named', async () => {
    const [all, named] = await Promise.all([
      runCommand(['--broker', server.url, 'inspect', 'registered']),
      run('inspect', 'stats', '--destination', 'w2', '--json'),
    ])
    assert.equal(all.code, 0)
    assert.match(all.stdout, /WORKER +APP +TASK\nw1@here +shop +fails\nw1@here +shop +feeds\.refresh\nw2@here +shop/)
    const [stats, ...others] = JSON.parse(named.stdout)
    assert.deepEqual([named.code, others.length, stats.worker, stats.answer.pid], [0, 0, 'w2@here', w2.child.pid])
  })

  it('is listed with what runs, and with the queues that nobody consumes', async () => {
    const call = await app.sendTask('feeds.refresh', [9, 60_000])
    await app.sendTask('feeds.refresh', [7], { queue: 'reports.late', countdown: '1h' })
    await app.sendTask('feeds.refresh', [8], { queue: 'reports.late' })
    const running = async () =>
      (await (await app.connection()).store.workers({ allApps: false })).some((row) => row.running === 1)
    await until(running, { what: 'a run in the row of its worker' })
    const [table, json] = await Promise.all([run('status'), run('status', '--json')])
    assert.match(
      table.stdout,
      /\nw2@here +shop +\S+ +\d+ +default +1 +[01] +\d+\.\d+\.\d+ +.* ago +feeds\.refresh,fails\n/,
    )
    assert.match(table.stdout, /\nreports\.late +shop +1 +1 +0 +nobody\n/)
    assert.match(table.stdout, /\ndefault +shop +0 +0 +1 +w1@here,w2@here\n/)
    assert.match(table.stderr, /no worker of app shop consumes reports\.late: 1 waiting, 1 delayed\.\n/)
    const rows = JSON.parse(json.stdout) as { kind: string; name: string; running?: number; workers?: string[] }[]
    const workers = rows.filter(({ kind }) => kind === 'worker')
    assert.deepEqual(workers.map((row) => row.running).sort(), [0, 1])
    assert.deepEqual(rows.find(({ kind, name }) => kind === 'queue' && name === 'reports.late')?.workers, [])
    await app.revoke(call, { terminate: true })
    await (await app.connection()).servers.engine.destroy(['reports.late'])
  })

  it('tells who did not answer, and that nobody did', async () => {
    process.kill(w2.child.pid as number, 'SIGSTOP')
    try {
      const [some, none] = await Promise.all([
        run('inspect', 'ping', '--timeout', '2s'),
        run('control', 'add-queue', 'x', '--timeout', '500ms', '--destination', 'w2,w3', '--json'),
      ])
      assert.deepEqual([some.code, some.stdout], [1, 'WORKER   ANSWER\nw1@here  pong\n'])
      assert.match(some.stderr, /no answer from w2@here; beatlock status shows who lives\.\n/)
      assert.equal(none.code, 69)
      const told = JSON.parse(none.stdout) as { worker: string; outcome: string }[]
      assert.deepEqual(
        told.map(({ worker, outcome }) => `${worker} ${outcome}`),
        ['w2@here silent', 'w3 absent'],
      )
      assert.match(
        none.stderr,
        /no answer from w2@here \(it may have obeyed all the same\); .*\n.*no living worker is named w3; beatlock status shows/,
      )
    } finally {
      process.kill(w2.child.pid as number, 'SIGCONT')
    }
    // Stopped for long it counts as dead, and is not asked, until its row is written again.
    const stats = async () => (await app.control.inspect({ destination: ['w2'] }).stats()).answers['w2@here']
    const { queues } = await until(stats, { what: 'an answer of w2' })
    assert.deepEqual(queues, ['default'], 'nobody begins what was taken back')
  })

  it('is steered while it runs, and logs by whom', async () => {
    const grown = await run('control', 'grow', '1', '--destination', 'w1')
    assert.deepEqual([grown.code, grown.stdout], [0, 'w1@here runs up to 2 at once\n'])
    await w1.saw(/worker w1@here is told by \S+@\S+: grow\n/)
    const shrunk = await app.control.shrink(2)
    assert.match(shrunk.failed['w1@here'] ?? '', /it runs 2 at once: at least one must stay/)
    assert.deepEqual((await app.control.logLevel('error', { destination: ['w2'] })).answers, {
      'w2@here': { level: 'error' },
    })
    const { answers } = await app.control.addQueue('reports', { by: 'anna\u202e' })
    assert.deepEqual(answers['w2@here'], { queues: ['default', 'reports'] })
    await w1.saw('worker w1@here is told by anna\\u{202e}: addQueue\n')
    assert.ok(!w2.output.stdout.includes('told by anna'), 'only errors are logged')
    await app.control.logLevel('info', { destination: ['w2'] })
  })

  it('waits for a call whose queue nobody consumes, and says so once', async () => {
    const nobodys = new App('of-nobody', { broker: server.url })
    assert.deepEqual([(await servedQueues(app)).includes('default'), await servedQueues(nobodys)], [true, []])
    await nobodys.close()
    const call = ['call', 'feeds.refresh', '--args', '[77]', '--id', 'waits', '--queue', 'nowhere']
    const waiting = startCommand(['-A', fixture('shop'), '--broker', server.url, ...call, '--wait'])
    const note = 'no worker of app shop consumes queue nowhere; waiting for one.\n'
    await until(() => waiting.output.stderr.includes(note), { what: 'the note' })
    await app.revoke('waits')
    const { code, stderr } = await waiting.ended
    assert.deepEqual([code, stderr.split(note).length], [1, 2])
    await (await app.connection()).servers.engine.destroy(['nowhere'])
  })

  it('tells a name that no living worker has from one that does not answer, and a queue that none serves', async () => {
    const [nobody, some, queue, both] = await Promise.all([
      run('inspect', 'ping', '--destination', 'w9', '--json'),
      runCommand(['--broker', server.url, 'inspect', 'ping', '--destination', 'w1,w9']),
      run('control', 'cancel-queue', 'nope'),
      run('control', 'shrink', '1', '--destination', 'w8,w9'),
    ])
    assert.deepEqual([nobody.code, some.code, queue.code, both.code], [3, 1, 3, 3])
    assert.deepEqual(
      JSON.parse(nobody.stdout).map(({ worker, outcome }: Record<string, string>) => `${worker} ${outcome}`),
      ['w9 absent'],
    )
    assert.match(some.stdout, /\nw1@here +shop +pong\n$/)
    assert.match(some.stderr, /no living worker is named w9; beatlock status shows who lives\.\n$/)
    assert.match(queue.stdout, /^w1@here serves default.*\nw2@here serves default.*\n$/)
    assert.match(queue.stderr, /none of them served 'nope': nothing was changed\.\n$/)
    assert.match(both.stderr, /no living worker is named w8, w9;/)
  })

  it('refuses what is no command, and asks for the app', async () => {
    const bad = [
      [run('inspect', 'activ', '--timeout', '1s'), /inspect takes active, .*, got 'activ'; did you mean "active"\?/],
      [run('control', 'grow', 'two'), /grow takes a whole number of processes, such as 2, got 'two'/],
      [run('control', 'log-level', 'loud'), /log-level must be debug, info, warn, error, got 'loud'/],
      [run('inspect', 'ping', '--destination', 'w1,,w2'), /--destination must be names/],
      [runCommand(['--broker', server.url, 'control', 'shutdown']), /control needs the app/],
    ] as const
    for (const [ended, why] of bad) {
      const { code, stderr } = await ended
      assert.equal(code, 2)
      assert.match(stderr, why)
    }
  })

  it('[P22] is told to stop, says what it waits for, and stops warm', async () => {
    const end = join(folder, 'end')
    const call = await app.sendTask('feeds.refresh', [1, 0, end])
    const inspect = () => app.control.inspect().active()
    const busy = await until(
      async () => Object.entries((await inspect()).answers).find(([, runs]) => runs.some(({ id }) => id === call.id)),
      { what: 'a run' },
    )
    const [name] = busy
    const told = await app.control.shutdown({ destination: [name] })
    assert.deepEqual(told.answers, { [name]: { running: 1 } })
    writeFileSync(end, '')
    const { code, stdout } = await (name === 'w1@here' ? w1 : w2).ended
    assert.equal(code, 0)
    assert.match(
      stdout,
      /is told by app\.control: shutdown\n.*worker is stopping: it waits for 1 run .*ran feeds\.refresh/s,
    )
    assert.equal(await call.state(), 'SUCCESS')
    const { absent } = await app.control.ping({ destination: ['w1', 'w2'] })
    assert.deepEqual(absent, [name.replace('@here', '')], 'it has left')
    await w1.saw('worker w2@here has joined\n')
    if (name === 'w2@here') await w1.saw('worker w2@here has left\n')
    else await w2.saw('worker w1@here has left\n')
  })
})
