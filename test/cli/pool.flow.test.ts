import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'
import { type Command, fixture, runCommand, startCommand } from './command.js'

describe("worker's pool", function () {
  this.timeout(120_000)
  let server: RedisServer
  let folder: string
  const started: Command[] = []
  /** Each test has an app of its own. */
  let app = 'pooled-0'
  before(async () => {
    server = await startRedis()
    folder = mkdtempSync(join(tmpdir(), 'beatlock-test-'))
  })
  afterEach(async () => {
    for (const { child, ended } of started.splice(0)) {
      child.kill('SIGKILL')
      await ended
    }
    app = `pooled-${Number(app.split('-')[1]) + 1}`
  })
  after(async () => {
    await server.stop()
    rmSync(folder, { recursive: true })
  })

  const start = async (flags: readonly string[], env: Record<string, string> = {}): Promise<Command> => {
    const args = ['-A', fixture('pooled'), '--broker', server.url, 'worker', ...flags]
    const command = startCommand(args, 'beatlock', { env: { ...env, POOLED_APP: app } })
    started.push(command)
    await command.saw('tasks ')
    return command
  }
  const call = (...args: string[]) => runCommand(['--app', app, '--broker', server.url, 'call', ...args])
  const answer = async (task: string): Promise<string> =>
    (await call(task, '--wait')).stdout.trim().split('\n').at(-1) ?? ''
  /** Of the workers that live, as others read them. */
  const sizes = async (): Promise<readonly number[]> => {
    const { stdout } = await runCommand(['--app', app, '--broker', server.url, 'status', '--json'])
    const rows = JSON.parse(stdout) as { kind: string; concurrency: number }[]
    return rows.filter(({ kind }) => kind === 'worker').map(({ concurrency }) => concurrency)
  }

  it('names the child on each line that a task prints, on the stream that it printed to', async () => {
    const { child, ended } = await start(['-c', '1'])
    await call('prints', '--wait')
    child.kill('SIGTERM')
    const { stdout, stderr } = await ended
    assert.match(stdout, /^\[child \d+\] to stdout\n/m)
    assert.match(stdout, /^\[child \d+\] no newline at its end\n/m)
    assert.match(stderr, /^\[child \d+\] to stderr\n/m)
    assert.match(stdout, /^\S+Z INFO {2}prints\[\S+\] by its request\n/m, 'a line of its log is one of the worker')
  })

  it('loses no word of a child that is killed, or out of memory, and says of what it died', async () => {
    const { child, saw, ended } = await start(['-c', '1'], { NODE_OPTIONS: '--max-old-space-size=60' })
    await call('diesWithWords', '--args', '["kill"]', '--wait')
    await saw(/died \(SIGKILL: last words on stderr\)/)
    await call('diesWithWords', '--args', '["memory"]', '--wait')
    await saw(/died \(SIGABRT: FATAL ERROR: [^)]*heap out of memory\)/)
    child.kill('SIGTERM')
    const { stdout, stderr } = await ended
    const words = (text: string, of: RegExp) => text.match(of)?.length
    assert.equal(words(stdout, /^\[child \d+\] x{30000}\n\[child \d+\] last words on stdout\n/gm), 6)
    assert.equal(words(stderr, /^\[child \d+\] last words on stderr$/gm), 6)
  })

  it('[P22] ends a warm stop cold after --shutdown-timeout, with what it killed queued for its redelivery', async () => {
    const { child, saw, ended } = await start(['-c', '1', '--shutdown-timeout', '500ms'])
    await call('long', '--args', '[60000]')
    await saw('started long')
    child.kill('SIGTERM')
    const { code, stdout } = await ended
    assert.equal(code, 1)
    assert.match(stdout, /stopping: it waits for 1 run \(long\), 500 ms at most;/)
    assert.match(stdout, /stopping at once, 500 ms after it was told to: what runs is killed.*worker has stopped\n$/s)
    assert.match((await runCommand(['--app', app, '--broker', server.url, 'locks', 'list'])).stdout, /long +queued/)
  })

  it('[P22] SIGHUP brings new code to the children, drops nothing, and keeps the old where the new is broken', async () => {
    const code = join(folder, 'version')
    writeFileSync(code, 'v1')
    const { child, saw, output } = await start(['-c', '2'], { POOLED_VERSION: code })
    assert.match(await answer('version'), /^"v1 /)
    const long = call('long', '--args', '[2000]', '--wait')
    await saw('started long')
    writeFileSync(code, 'v2')
    child.kill('SIGHUP')
    await saw('worker has replaced its children')
    assert.match(await answer('version'), /^"v2 /)
    assert.match((await long).stdout, /"v1"\n$/)
    writeFileSync(code, 'broken v3')
    child.kill('SIGHUP')
    await saw(/ERROR worker goes on with the children it has: .*broken v3 has a typo/)
    assert.match(await answer('version'), /^"v2 /)
    assert.doesNotMatch(output.stdout, /died|put back/)
    assert.equal(output.stdout.match(/broken v3/g)?.length, 1)
  })

  it('replaces a child by --max-tasks-per-child', async () => {
    await start(['-c', '1', '--max-tasks-per-child', '2'])
    const pids: string[] = []
    for (let n = 0; n < 5; n += 1) pids.push((await answer('version')).replace(/^"v1 (\d+)"$/, '$1'))
    assert.equal(new Set(pids).size, 3)
    assert.deepEqual([pids[0], pids[2]], [pids[1], pids[3]])
  })

  it('grows at once while messages wait, shrinks when idle, by --autoscale or the app, and recycles all the same', async () => {
    const { saw, output } = await start([], { POOLED_SCALE: 'yes' })
    assert.match(output.stdout, /: 1 to 3 prefork children,/)
    const file = join(folder, 'done')
    const calls = Array.from({ length: 3 }, () => call('waits', '--args', JSON.stringify([file])))
    await saw(/runs up to 3 at once/)
    await saw(/(started waits.*){3}/s)
    writeFileSync(file, '')
    await Promise.all(calls)
    await saw(/runs up to 1 at once/)
    // Its keeper writes what the worker has told already.
    await until(async () => String(await sizes()) === '1', { everyMs: 200, what: 'a size of 1 in its row' })
    const pids = [await answer('version'), await answer('version')]
    assert.notEqual(pids[0], pids[1], 'one task a child')
    assert.doesNotMatch(output.stdout, /died|put back|ERROR/)
  })

  it('[P2] [P13] a solo worker keeps the lock of a body that blocks its loop for longer than the lease', async () => {
    const workers = [await start(['-P', 'solo', '-n', 'w1']), await start(['-P', 'solo', '-n', 'w2'])]
    assert.match((await call('blocks', '--args', '[8000]', '--wait')).stdout, /\n8000\n$/)
    const told = (text: RegExp) => workers.flatMap(({ output }) => output.stdout.match(text) ?? []).length
    await until(() => told(/ran blocks/g) === 1)
    assert.deepEqual([told(/started blocks/g), told(/ran blocks/g), told(/lost/g)], [1, 1, 0])
  })

  for (const [flags, told] of [
    [['--max-tasks-per-child', '0'], /--max-tasks-per-child must be a whole number from 1/],
    [['--max-memory-per-child', '12000'], /--max-memory-per-child.*write '12000kb'/],
    [['--autoscale', '2,8'], /--autoscale must be max and min, 1 to 1000 and the larger first, got 2 and 8/],
    [['--autoscale', '8,2', '-c', '4'], /leave -c out/],
    [['--shutdown-timeout', 'soon'], /--shutdown-timeout.*duration/],
    [['-P', 'solo', '--max-tasks-per-child', '5'], /need child processes; use -P prefork/],
  ] as const) {
    it(`refuses ${flags.join(' ')} with exit 2 before anything starts`, async () => {
      const { code, stdout, stderr } = await runCommand([
        '-A',
        fixture('pooled'),
        '--broker',
        server.url,
        'worker',
        ...flags,
      ])
      assert.deepEqual([code, stdout], [2, ''])
      assert.match(stderr, told)
    })
  }
})
