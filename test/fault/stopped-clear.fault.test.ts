import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { App } from '../../src/index.js'
import type { LockInfo } from '../../src/task-base/locks.js'
import { type Ended, runCommand } from '../cli/command.js'
import type { DirectSpec } from '../support/direct-process.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { until } from '../support/until.js'

const PROCESS = fileURLToPath(new URL('../support/direct-process.js', import.meta.url))
const NAME = 'stopped'
/** Long enough for a command to start in it on a slow machine. */
const LEASE = '10s'
const LOCK_DELAY_MS = 3_334

describe('a stopped process with a session barrier', function () {
  this.timeout(120_000)
  let server: PostgresServer
  let app: App
  let child: ChildProcess
  before(async () => {
    server = await startPostgres()
    app = new App(NAME, { broker: server.url, locks: { lease: LEASE } })
  })
  after(async () => {
    await app?.close()
    await server?.remove()
  })
  beforeEach(async () => {
    const spec: DirectSpec = { app: NAME, broker: server.url, lease: LEASE, do: 'hold', name: 'import' }
    child = fork(PROCESS, [JSON.stringify(spec)])
    await once(child, 'message')
    child.kill('SIGSTOP')
  })
  afterEach(async () => {
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  })

  const locks = (...args: string[]): Promise<Ended> =>
    runCommand(['--app', NAME, '--broker', server.url, 'locks', ...args])
  const row = async (): Promise<LockInfo | undefined> => (await app.locks.list().next()).value
  const overSince = async (ms: number): Promise<unknown> =>
    until(async () => ((await row())?.ttlMs ?? 0) < -ms, {
      what: 'the end of the lease',
      everyMs: 50,
    })

  it('[P8] keeps its key, is shown as stopped, and locks clear --force ends that', async () => {
    const first = await locks('clear', 'import', '--force', '--yes')
    assert.match(first.stdout, /import: stopping \S+ on \S+: the key is free when its body has ended/)
    await overSince(LOCK_DELAY_MS)
    const { stdout } = await locks('list')
    assert.match(stdout, /^import +running .* no \(stopped\) /m)
    const left = await locks('clear', 'import', '--yes')
    assert.match(left.stdout, /its process is stopped and its database session lives; --force ends that/)
    assert.equal(left.code, 1)
    assert.equal((await app.locks.run('import', {}, () => 1)).ran, false)
    const token = (await row())?.token ?? 0
    const cleared = await locks('clear', 'import', '--force', '--yes')
    assert.match(cleared.stdout, /import: ended the database session of \d+@\S+\nimport: freed from /)
    assert.equal(cleared.code, 0)
    const next = await app.locks.run('import', {}, (lock) => lock.token)
    assert.ok(next.ran && next.value > token)
  })

  it('[P8] locks clear --force --now frees its key at once', async () => {
    const cleared = await locks('clear', 'import', '--force', '--now', '--yes', '--json')
    const [answer] = JSON.parse(cleared.stdout) as {
      sessions: { outcome: string; others: number }[]
      freed: string[]
    }[]
    assert.deepEqual([answer?.sessions[0]?.outcome, answer?.sessions[0]?.others, answer?.freed.length], ['ended', 0, 1])
    assert.equal((await app.locks.run('import', {}, () => 1)).ran, true)
  })

  it('[P4] [P6] woken after that it sees its loss, and changes nothing of the next holder’s', async () => {
    await locks('clear', 'import', '--force', '--now', '--yes')
    let open = (): void => undefined
    const opened = new Promise<void>((resolve) => {
      open = resolve
    })
    const next = app.locks.run('import', {}, () => opened)
    await until(async () => (await row())?.stage === 'running', { what: 'the next holder' })
    const holder = (await row())?.holder
    child.kill('SIGCONT')
    assert.deepEqual((await once(child, 'message'))[0], 'lost')
    assert.equal((await row())?.holder, holder)
    open()
    assert.equal((await next).ran, true)
  })
})
