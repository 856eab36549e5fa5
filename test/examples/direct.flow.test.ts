import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Queue } from 'bullmq'
import { App } from '../../src/index.js'
import { projectRoot } from '../support/project-root.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'

/** Each example is a process of its own; this one holds its key, so that it has to skip, and then lets go. */
describe('the examples that guard code of other packages', function () {
  this.timeout(120_000)
  let server: RedisServer
  let app: App | undefined
  let child: ChildProcess | undefined
  let output = ''

  before(async () => {
    server = await startRedis()
  })

  afterEach(async () => {
    child?.kill('SIGKILL')
    await app?.close()
    app = undefined
  })

  after(() => server?.stop())

  for (const name of ['node-cron', 'croner']) {
    it(`${name}: skips its ticks while another process has the key, runs them after`, async () => {
      await whileHeld({ appName: 'reports', lock: 'report' }, async () => {
        run(name)
        await says(`skipped report: ${process.pid}@`)
        assert.doesNotMatch(output, /written/)
      })
      await says('report written, token ')
      await ends()
    })
  }

  it('a BullMQ processor puts a job back whose feed is busy, and runs it after', async () => {
    const queue = new Queue('feeds', { connection: { host: '127.0.0.1', port: server.port } })
    try {
      await whileHeld({ appName: 'feeds', lock: 'refresh', key: 7 }, async () => {
        run('bullmq-processor')
        await queue.add('refresh', { feedId: 7 })
        await queue.add('refresh', { feedId: 8 })
        await says(`feed 7 is busy: ${process.pid}@`)
        await says('feed 8 refreshed')
        assert.doesNotMatch(output, /feed 7 refreshed/)
      })
      await says('feed 7 refreshed')
      await ends()
    } finally {
      await queue.close()
    }
  })

  it('an HTTP handler answers 409 with the holder while another process has the key', async () => {
    run('http-handler')
    const port = (await says(/listening on (\d+)/))[1]
    const post = (): Promise<Response> => fetch(`http://127.0.0.1:${port}/feeds`, { method: 'POST' })
    await whileHeld({ appName: 'shop', lock: 'import', key: '/feeds' }, async (id) => {
      const busy = await post()
      assert.equal(busy.status, 409)
      assert.equal(((await busy.json()) as { busy: { id: string } }).busy.id, id)
    })
    const done = await post()
    assert.deepEqual([done.status, await done.json()], [200, { imported: 42 }])
    await ends()
  })

  /** Does something while this process has the lock; hands it the holder's id. */
  async function whileHeld(
    of: { appName: string; lock: string; key?: unknown },
    step: (id: string) => Promise<void>,
  ): Promise<void> {
    const holding = new App(of.appName, { broker: server.url })
    app = holding
    const answer = await holding.locks.run(of.lock, { key: of.key }, async () => {
      const { value: row } = await holding.locks.list({ task: of.lock, stage: 'running' }).next()
      await step(row?.holder ?? '')
    })
    assert.equal(answer.ran, true)
  }

  function run(name: string): void {
    output = ''
    const env = { ...process.env, BEATLOCK_BROKER: server.url, PORT: '0' }
    child = spawn(process.execPath, [join(projectRoot(), 'examples', `${name}.js`)], { env })
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (output += String(text)))
  }

  async function says(what: string | RegExp): Promise<RegExpMatchArray> {
    const found = (): RegExpMatchArray | null =>
      typeof what === 'string' ? (output.includes(what) ? [what] : null) : output.match(what)
    return until(found, { what: `${what} in ${output}` }).catch(() => assert.fail(`no ${what} in: ${output}`))
  }

  /** At SIGTERM it lets go of everything, and so comes to its end. */
  async function ends(): Promise<void> {
    const exit = once(child as ChildProcess, 'exit')
    child?.kill('SIGTERM')
    assert.deepEqual(await exit, [0, null], output)
  }
})
