import assert from 'node:assert/strict'
import type { App } from '../../src/index.js'
import { encodeMessage } from '../../src/task-base/message.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'
import { type Command, fixture, runCommand, startCommand } from './command.js'

describe('the commands for dead letters, and revoke', function () {
  this.timeout(120_000)
  let server: RedisServer
  let worker: Command
  let app: App
  before(async () => {
    server = await startRedis()
    app = ((await import(`${fixture('shop')}?dead`)) as { app: App }).app
    app.override({ broker: server.url })
    worker = startCommand(['-A', fixture('shop'), '--broker', server.url, 'worker', '-n', 'w1@db2', '-c', '2'])
    await worker.saw('tasks fails, feeds.refresh')
  })
  after(async () => {
    await app.close()
    worker.child.kill('SIGKILL')
    await worker.ended
    await server.stop()
  })

  const beatlock = (...args: string[]) => runCommand(['--app', 'shop', '--broker', server.url, ...args])
  const everywhere = (...args: string[]) => runCommand(['--broker', server.url, ...args])
  const call = async (args: unknown[], countdown = '0ms'): Promise<string> =>
    (await app.sendTask('feeds.refresh', args, { countdown: countdown as '0ms' })).id
  /** A call that was given up. */
  const bury = async (id: string, args: unknown[]): Promise<void> => {
    const message = await app.message(await app.targetOf('feeds.refresh'), args, { id })
    const { task, queue, round, lock } = message
    const letter = { key: lock.key, messageId: id, round, task, label: lock.label, queue, code: 'MAX_DELIVERIES' }
    await (await app.connection()).store.dead.bury({ ...letter, message: encodeMessage(message) })
  }
  const ids = async (...args: string[]): Promise<string[]> =>
    (JSON.parse((await beatlock('dead', 'list', '--json', ...args)).stdout) as { id: string }[]).map(({ id }) => id)

  it('dead list and show tell what was given up, of one app or of all', async () => {
    await bury('order-1', [7])
    const table = await everywhere('dead', 'list')
    assert.equal(table.code, 0)
    assert.match(
      table.stdout,
      /^LABEL .*\nfeeds\.refresh feedId=7 +MAX_DELIVERIES +\S+ \S+ +0 +default +shop +order-1\n$/,
    )
    assert.match(table.stderr, /^beatlock: dead letters of all apps on redis:/)
    assert.deepEqual(await ids('--task', 'fails'), [])
    const shown = await beatlock('dead', 'show', 'order')
    assert.equal(shown.code, 0)
    assert.match(
      shown.stdout,
      /^feeds\.refresh feedId=7\n[\s\S]*\n {2}code +MAX_DELIVERIES\n[\s\S]*\n {2}args +\[7\]\n$/,
    )
    const [letter] = JSON.parse((await beatlock('dead', 'show', 'order-1', '--json')).stdout) as { args: unknown }[]
    assert.deepEqual(letter?.args, [7])
  })

  it('dead requeue queues again, through the guard, and asks first', async () => {
    const asked = await beatlock('dead', 'requeue', 'order-1')
    assert.equal(asked.code, 2)
    assert.match(asked.stderr, /no terminal to ask on; add --yes to requeue without asking/)
    const holder = await call([7], '1h')
    const refused = await beatlock('dead', 'requeue', 'order-1', '--yes')
    assert.equal(refused.code, 1)
    assert.match(
      refused.stdout,
      new RegExp(`\\[order-1\\]: refused, ${holder} has its key since .* stays a dead letter`),
    )
    assert.equal((await beatlock('revoke', holder)).stdout, `revoked ${holder}: it will not run\n`)
    const { code, stdout } = await everywhere('dead', 'requeue', 'feeds.*', '--yes', '--json')
    assert.equal(code, 0)
    const label = 'feeds.refresh feedId=7'
    assert.deepEqual(JSON.parse(stdout), [{ app: 'shop', id: 'order-1', label, outcome: 'published', round: 1 }])
    assert.equal(await app.result('order-1').get({ timeout: '20s' }), 7)
    assert.deepEqual(await ids(), [])
  })

  it('dead discard forgets; what nothing matches is exit code 3', async () => {
    await bury('order-2', [8])
    assert.equal((await beatlock('dead', 'discard', 'order-2')).code, 2)
    const discarded = await beatlock('dead', 'discard', 'order-2', '--yes')
    assert.deepEqual([discarded.code, discarded.stdout], [0, 'feeds.refresh feedId=8 [order-2]: forgotten\n'])
    for (const verb of [['show'], ['requeue', '--yes'], ['discard', '--yes']]) {
      assert.equal((await beatlock('dead', ...verb, 'order-2')).code, 3, verb[0])
    }
    const { code, stderr } = await beatlock('dead', 'list')
    assert.equal(code, 0)
    assert.match(stderr, /there is none\.\n$/)
  })

  it('revoke takes a waiting call back, a running one only with --terminate; an unknown one is exit code 3', async () => {
    const waiting = await call([9], '1h')
    const revoked = await beatlock('revoke', waiting, '--json')
    assert.deepEqual([revoked.code, revoked.stdout], [0, `{"id":"${waiting}","outcome":"revoked"}\n`])
    const runs = await call([10, 30_000])
    const running = async () => (await app.locks.list().next()).value?.stage === 'running'
    await until(running, { what: 'the call to run' })
    const left = await beatlock('revoke', runs)
    assert.equal(left.code, 1)
    assert.match(left.stdout, /left \S+ alone: it runs on w1@db2; --terminate stops it\n$/)
    const stopping = await beatlock('revoke', runs, '--terminate')
    assert.equal(stopping.code, 0)
    assert.match(stopping.stdout, /^stopping \S+ on w1@db2/)
    await assert.rejects(app.result(runs).get({ timeout: '20s' }), /ended before its own end: revoked/)
    const late = await beatlock('revoke', runs, '--terminate')
    assert.deepEqual([late.code, late.stdout], [0, `revoked ${runs}: it will not run\n`])
    const nobody = await beatlock('revoke', 'nobody')
    assert.deepEqual([nobody.code, nobody.stdout], [3, ''])
    assert.match(nobody.stderr, /nothing is known of 'nobody'/)
    assert.equal((await everywhere('revoke', 'nobody')).code, 2)
  })

  it('status --counts tells what became of all calls, of all processes', async () => {
    const counted = async () => {
      const { stdout } = await everywhere('status', '--counts', '--json')
      const [of] = JSON.parse(stdout) as { app: string; task: string; counts: Record<string, number> }[]
      return of?.task === 'feeds.refresh' && (of.counts['ran'] ?? 0) >= 1 && (of.counts['revoked'] ?? 0) >= 2
        ? of
        : undefined
    }
    const of = await until(counted, { timeoutMs: 30_000, what: 'worker and commands to have told' })
    assert.equal(of.app, 'shop')
    const table = await beatlock('status', '--counts')
    assert.match(table.stdout, /^TASK .*\nfeeds\.refresh +shop +.*ran \d+, .*revoked \d+/)
    assert.equal((await app.totals())['feeds.refresh']?.['ran'], of.counts['ran'])
  })
})
