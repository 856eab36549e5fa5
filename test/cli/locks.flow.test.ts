import assert from 'node:assert/strict'
import type { CallOptions } from '../../src/task-base/call.js'
import type { LockInfo } from '../../src/task-base/locks.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { until } from '../support/until.js'
import { type Command, fixture, runCommand, startCommand } from './command.js'
import { app } from './fixture/shop.js'

const FIELDS =
  'app key task label stage holder token worker acquiredAt ageMs expiresAt ttlMs alive why parked limit'.split(' ')

describe('the commands on a real server', function () {
  this.timeout(120_000)
  let server: PostgresServer
  let worker: Command
  before(async () => {
    server = await startPostgres()
    app.override({ broker: server.url })
    worker = startCommand(['-A', fixture('shop'), '--broker', server.url, 'worker', '-n', 'w1@db2', '-c', '2'])
    await worker.saw('tasks fails, feeds.refresh')
  })
  after(async () => {
    await app.close()
    worker.child.kill('SIGKILL')
    await worker.ended
    await server.remove()
  })

  const beatlock = (...args: string[]) => runCommand(['--app', 'shop', '--broker', server.url, ...args])
  const everywhere = (...args: string[]) => runCommand(['--broker', server.url, ...args])
  const call = async (args: unknown[], options: CallOptions = {}): Promise<string> =>
    (await app.sendTask('feeds.refresh', args, options)).id
  const rows = async (): Promise<LockInfo[]> => {
    const all: LockInfo[] = []
    for await (const row of app.locks.list()) all.push(row)
    return all
  }
  const running = (id: string) =>
    until(async () => (await rows()).find((row) => row.holder === id && row.stage === 'running'), {
      what: `${id} to run`,
    })
  const idle = () => until(async () => (await rows()).length === 0, { what: 'no lock to be left' })

  afterEach(async () => {
    for (const { key } of await rows()) await app.locks.clear(key, { parked: true, force: true })
    await idle()
  })

  it('locks list shows the held key, label first, and says on stderr where it looks', async () => {
    await running(await call([7, 30_000]))
    const { code, stdout, stderr } = await beatlock('locks', 'list')
    assert.equal(code, 0)
    assert.match(
      stdout,
      /^LABEL .*\nfeeds\.refresh feedId=7 +running +\S+ +w1@db2 +\S+ m?s +\S+ s +yes +0 +feeds\.refresh:/,
    )
    assert.match(
      stderr,
      new RegExp(`^beatlock: locks of app shop on postgres://127\\.0\\.0\\.1:${server.connection.port}/`),
    )
    assert.doesNotMatch(stderr, new RegExp(server.connection.password))
  })

  it('locks list --json has exactly the fields that are promised', async () => {
    await running(await call([7, 30_000]))
    const [row] = JSON.parse((await beatlock('locks', 'list', '--json')).stdout) as LockInfo[]
    assert.ok(row)
    assert.deepEqual(Object.keys(row), FIELDS)
    assert.equal(row.worker, 'w1@db2')
    assert.equal(row.alive, true)
    assert.equal(row.why, null)
    assert.ok(Number.isSafeInteger(row.token))
    assert.match(row.acquiredAt ?? '', /^\d{4}-\d\d-\d\dT.*Z$/)
  })

  it('locks list of an idle app is an empty array and exit code 0', async () => {
    const { code, stdout } = await beatlock('locks', 'list', '--json')
    assert.deepEqual([code, stdout], [0, '[]\n'])
  })

  it('filters by task, stage, age and life', async () => {
    await call([7], { queue: 'reports' })
    await call([8], { countdown: '1h' })
    const ids = async (...args: string[]) =>
      (JSON.parse((await beatlock('locks', 'list', '--json', ...args)).stdout) as LockInfo[]).map((row) => row.label)
    assert.deepEqual(await ids('--dead'), ['feeds.refresh feedId=7'])
    assert.equal((await ids('--stage', 'queued', '--task', 'feeds.refresh')).length, 2)
    assert.deepEqual(await ids('--stage', 'running'), [])
    assert.deepEqual(await ids('--stage', 'cooling'), [])
    assert.deepEqual(await ids('--task', 'other'), [])
    assert.deepEqual(await ids('--older-than', '1h'), [])
  })

  it('knows without the app’s name whether a queued call lives: it asks the queues of the row’s app', async () => {
    await call([7], { queue: 'reports' })
    await call([8], { countdown: '1h' })
    const { stdout, stderr } = await everywhere('locks', 'list', '--json')
    assert.match(stderr, /locks of all apps on /)
    const byLabel = new Map((JSON.parse(stdout) as LockInfo[]).map((row) => [row.label, row]))
    assert.deepEqual(
      [byLabel.get('feeds.refresh feedId=7')?.alive, byLabel.get('feeds.refresh feedId=7')?.why],
      [false, 'no worker consumes reports'],
    )
    assert.equal(byLabel.get('feeds.refresh feedId=8')?.alive, true)
    assert.equal(byLabel.get('feeds.refresh feedId=8')?.app, 'shop')
  })

  it('locks show tells holder, parked calls and how the last message ended', async () => {
    const first = await call([7])
    await idle()
    const holder = await call([7, 30_000])
    await running(holder)
    const parked = await call([7], { once: { overlap: 'defer' } })
    const { code, stdout } = await everywhere('locks', 'show', 'feeds.ref')
    assert.equal(code, 0)
    assert.match(stdout, new RegExp(`^feeds\\.refresh feedId=7\n.* holder +${holder} running for .* on w1@db2`, 's'))
    assert.match(stdout, new RegExp(`parked +${parked} since`))
    assert.match(stdout, new RegExp(`ended +${first} ran at `))
  })

  it('show and clear answer 3 where nothing matches', async () => {
    assert.equal((await beatlock('locks', 'show', 'nothing')).code, 3)
    assert.equal((await beatlock('locks', 'clear', 'nothing*', '--yes')).code, 3)
  })

  it('[P9] clear leaves a living holder alone without --force, says so and answers 1', async () => {
    const id = await call([7, 30_000])
    await running(id)
    const { code, stdout } = await beatlock('locks', 'clear', 'feeds.refresh feedId=7', '--yes')
    assert.equal(code, 1)
    assert.match(stdout, new RegExp(`left to ${id} on w1@db2: it runs and lives; --force stops it`))
    assert.equal((await rows())[0]?.holder, id)
  })

  it('clear --force has a living holder stopped, without knowing its app', async () => {
    const id = await call([7, 30_000])
    await running(id)
    const { code, stdout } = await everywhere('locks', 'clear', 'feeds.*', '--force', '--yes', '--json')
    assert.equal(code, 0)
    const [cleared] = JSON.parse(stdout) as { app: string; cancelled: string[] }[]
    assert.deepEqual([cleared?.app, cleared?.cancelled], ['shop', [id]])
    await idle()
    const result = await beatlock('result', id)
    assert.equal(result.code, 1)
    assert.match(result.stdout, /^REVOKED \(CLEARED\)/)
  })

  it('clear frees queued keys by a pattern, and --parked discards what waits', async () => {
    const first = await call([7], { countdown: '1h' })
    const parked = await call([7], { once: { overlap: 'defer' } })
    const { code, stdout } = await beatlock('locks', 'clear', '*feedId=7', '--parked', '--yes', '--json')
    assert.equal(code, 0)
    const [cleared] = JSON.parse(stdout) as { freed: string[]; discarded: string[]; promoted: null }[]
    assert.deepEqual([cleared?.freed, cleared?.discarded, cleared?.promoted], [[first], [parked], null])
    assert.deepEqual(await rows(), [])
  })

  it('call prints what became of it: published, rejected with the holder, or already queued', async () => {
    const id = await call([7, 30_000])
    const skipped = await beatlock('call', 'feeds.refresh', '--args', '[7]', '--overlap', 'skip')
    assert.equal(skipped.code, 0)
    assert.match(skipped.stdout, new RegExp(`^rejected feeds\\.refresh as \\S+: ${id}.* has the key since `))
    const raised = await beatlock('call', 'feeds.refresh', '--args', '[7]')
    assert.equal(raised.code, 1)
    assert.match(raised.stderr, new RegExp(`already queued or running as ${id}`))
  })

  it('call --wait and result give the value, or the error and exit code 1', async () => {
    const waited = await beatlock('call', 'feeds.refresh', '--kwargs', '{"feedId":9}', '--wait', '20s')
    assert.match(waited.stdout, /^published feeds\.refresh as \S+\n9\n$/)
    const { stdout } = await beatlock('call', 'fails', '--id', 'order-1', '--json')
    assert.equal(stdout, '{"id":"order-1","outcome":"published","holder":null}\n')
    const failed = await beatlock('result', 'order-1', '--wait', '20s', '--json')
    assert.equal(failed.code, 1)
    const { state, error } = JSON.parse(failed.stdout) as { state: string; error: { message: string } }
    assert.equal(state, 'FAILURE')
    assert.match(error.message, /TypeError: out of paper/)
  })

  it('--json tells a failure on stdout too', async () => {
    const json = async (...args: string[]) => {
      const { code, stdout } = await beatlock(...args, '--json')
      return [code, JSON.parse(stdout)] as const
    }
    const [waited, call1] = await json('call', 'fails', '--id', 'order-2', '--wait', '20s')
    assert.deepEqual([waited, call1.id, call1.outcome, call1.holder], [1, 'order-2', 'published', null])
    assert.equal(call1.error.code, 'TASK_ERROR')
    assert.match(call1.error.message, /TypeError: out of paper/)
    const id = await call([7, 30_000])
    const [raised, call2] = await json('call', 'feeds.refresh', '--args', '[7]')
    assert.deepEqual([raised, call2.id, call2.outcome, call2.holder.id], [1, null, 'refused', id])
    assert.equal(call2.error.code, 'ALREADY_QUEUED')
    const [late, standing] = await json('result', id, '--wait', '50ms')
    assert.deepEqual([late, standing.id, standing.error.code], [1, id, 'RESULT_TIMEOUT'])
    assert.deepEqual(await json('locks', 'clear', 'nothing', '--yes'), [3, []])
    assert.deepEqual(await json('locks', 'show', 'nothing'), [3, []])
    assert.deepEqual(await json('dead', 'show', 'nothing'), [3, []])
    assert.deepEqual(await json('dead', 'discard', 'nothing', '--yes'), [3, []])
    const [unknown, entry] = await json('schedule', 'show', 'nothing')
    assert.deepEqual([unknown, entry.name], [3, 'nothing'])
    assert.match(entry.error.message, /there is no entry 'nothing'/)
  })

  it('locks show --json has holders, parked calls, outcomes and history', async () => {
    const id = await call([7, 30_000])
    await running(id)
    const { code, stdout } = await beatlock('locks', 'show', 'feeds.refresh feedId=7', '--json')
    const [shown] = JSON.parse(stdout)
    assert.equal(code, 0)
    assert.deepEqual(Object.keys(shown), ['app', 'key', 'holders', 'parked', 'outcomes', 'history'])
    assert.deepEqual(Object.keys(shown.holders[0]), FIELDS)
    for (const { at } of [...shown.outcomes, ...shown.history]) assert.match(at, /^\d{4}-\d\d-\d\dT.*Z$/)
  })

  it('result of a call that is nowhere is PENDING, as in Celery', async () => {
    const { code, stdout } = await beatlock('result', 'nobody')
    assert.deepEqual([code, stdout], [0, 'PENDING\n'])
  })

  it('status lists the workers that live', async () => {
    const table = await everywhere('status')
    assert.match(
      table.stdout,
      /^NAME .*\nw1@db2 +shop .* default +2 .* ago +feeds\.refresh,fails\n\nQUEUE .*\ndefault +shop .* w1@db2\n/,
    )
    const [row] = JSON.parse((await beatlock('status', '--json')).stdout) as { name: string; pid: number }[]
    assert.deepEqual([row?.name, row?.pid], ['w1@db2', worker.child.pid])
  })
})

describe('a server that does not answer', () => {
  const commands = [['status'], ['locks', 'list'], ['locks', 'clear', 'x', '--yes'], ['call', 'ping'], ['result', 'x']]
  // A port of the loopback that nobody listens on.
  for (const scheme of ['postgres', 'redis']) {
    it(`is exit code 69 for one-shot commands, with host and port and no password (${scheme})`, async () => {
      const broker = `${scheme}://user:secret@127.0.0.1:9/0`
      const all = commands.map((command) => runCommand(['--app', 'shop', '--broker', broker, ...command]))
      for (const { code, stdout, stderr } of await Promise.all(all)) {
        assert.equal(code, 69, stderr)
        assert.match(stderr, /^beatlock: .*127\.0\.0\.1:9.* cannot be reached: [^\n]*\n$/)
        assert.doesNotMatch(stderr, /secret/)
        assert.equal(stdout, '')
      }
    })
  }
})
