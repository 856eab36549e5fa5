import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import * as own from '../../src/index.js'
import { projectRoot } from '../support/project-root.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'
import { type Command, fixture, startScript } from './command.js'

const BUILT = fileURLToPath(new URL('../..', import.meta.url))
const SHOP = ['-A', fixture('shop')]

/** As with a `beatlock` that is installed globally, beside the one in the app's own node_modules. */
describe('a command of another copy of the package than the app’s', function () {
  this.timeout(120_000)
  let folder: string
  let server: RedisServer
  let other: typeof own
  const started: Command[] = []

  before(async () => {
    // Inside the repository, where the packages are found.
    mkdirSync(join(projectRoot(), '.build'), { recursive: true })
    folder = mkdtempSync(join(projectRoot(), '.build', 'copy-'))
    for (const part of ['src', 'adapters']) cpSync(join(BUILT, part), join(folder, 'dist', part), { recursive: true })
    setVersion((JSON.parse(readFileSync(join(projectRoot(), 'package.json'), 'utf8')) as { version: string }).version)
    other = (await import(pathToFileURL(join(folder, 'dist/src/index.js')).href)) as typeof own
    server = await startRedis({ appendonly: true })
  })

  after(async () => {
    for (const { child } of started) child.kill('SIGKILL')
    await server?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const setVersion = (version: string): void =>
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'beatlock', version, type: 'module' }))

  function command(...args: string[]): Command {
    const command = startScript(join(folder, 'dist/src/cli/beatlock.js'), [...SHOP, '--broker', server.url, ...args])
    started.push(command)
    return command
  }

  it('an error is told by its class in the other copy too', () => {
    assert.notEqual(other.UsageError, own.UsageError)
    const error = new other.StoreUnavailable('db:1', 'gone')
    assert.ok(error instanceof own.StoreUnavailable && error instanceof own.ServerUnavailable)
    assert.ok(error instanceof own.BeatlockError && error instanceof Error)
    const others: unknown[] = [new Error('USAGE'), { code: 'USAGE' }, null, 'USAGE', new own.UsageError('no')]
    for (const each of others) assert.ok(!(each instanceof own.StoreUnavailable))
    assert.ok(!(new other.BrokerUnavailable('db:1', 'gone') instanceof own.StoreUnavailable))
  })

  it('runs the app’s tasks, tells how they failed, and lives through an outage in mid-run', async () => {
    const worker = command('worker', '-c', '1', '-l', 'debug')
    await worker.saw('tasks ')
    const failed = await command('call', 'fails', '--wait', '20s').ended
    assert.equal(failed.code, 1)
    assert.match(failed.stderr, /TypeError: out of paper/)
    assert.doesNotMatch(failed.stderr, /unexpected/)
    const standing = await command('result', failed.stdout.match(/[0-9A-Z]{26}/)?.[0] ?? 'no-id').ended
    assert.equal(standing.code, 1)
    assert.match(standing.stdout, /^FAILURE \(TASK_ERROR\): .*out of paper/)

    const call = command('call', 'feeds.refresh', '--args', JSON.stringify([7, 0, join(folder, 'end')]))
    await worker.saw(/started .*feeds\.refresh/)
    assert.equal((await call.ended).code, 0)
    process.kill(server.pid, 'SIGKILL')
    writeFileSync(join(folder, 'end'), '')
    const told = (): string => worker.output.stdout + worker.output.stderr
    await until(() => told().includes('end of a run'), { what: 'the end of the body, which nobody writes down' })
    await server.restart()
    await worker.saw(/ran .*feeds\.refresh/)
    assert.equal(worker.output.stdout.match(/started .*feeds\.refresh/g)?.length, 1, worker.output.stdout)
    worker.child.kill('SIGTERM')
    assert.equal((await worker.ended).code, 0)
  })

  it('names both versions where they differ, and the cure', async () => {
    setVersion('99.1.0')
    const { code, stderr } = await command('worker').ended
    assert.equal(code, 2)
    assert.match(stderr, /brings beatlock \S+, this command is beatlock 99\.1\.0; run the app's own: npx beatlock/)
  })
})
