import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BeatHealth } from '../../src/beat/health.js'
import { App, timetable } from '../../src/index.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'
import { type Command, fixture, runCommand, startCommand } from './command.js'

describe('beat', function () {
  this.timeout(120_000)
  let server: RedisServer
  let folder: string
  const started: Command[] = []
  /** Each test has an app of its own: a killed beat leads for some seconds more. */
  let app = 'shop-0'
  before(async () => {
    server = await startRedis()
    folder = mkdtempSync(join(tmpdir(), 'beatlock-beat-'))
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
    await server.stop()
  })

  const startOf = (module: string, ...args: string[]): Command => {
    const command = startCommand(['-A', fixture(module), '--broker', server.url, 'beat', ...args], 'beatlock', {
      env: { SHOP_APP: app },
    })
    started.push(command)
    return command
  }
  const start = (...args: string[]): Command => startOf('timetable', ...args)
  const ask = (...args: string[]) => runCommand(['--app', app, '--broker', server.url, ...args])
  const statusOf = async () => {
    const { stdout } = await ask('status', '--json')
    return JSON.parse(stdout) as { kind: string; pid: number; leader: boolean; entries: number; nextAt: string }[]
  }

  it('one of two leads, which status shows; the other takes over within seconds when it is killed', async () => {
    const [first, second] = [start(), start()]
    await Promise.all([first, second].map(({ saw }) => saw('entry refresh-7')))
    const leader = await until(async () => (await statusOf()).find((beat) => beat.leader && beat.nextAt), {
      everyMs: 200,
    })
    assert.deepEqual([leader.kind, leader.entries], ['beat', 1])
    const [leads, waits] = leader.pid === first.child.pid ? [first, second] : [second, first]
    leads.child.kill('SIGKILL')
    await waits.saw('this beat leads', 10_000)
    await waits.saw(/(published|skipped) refresh-7/, 20_000)
    waits.child.kill('SIGTERM')
    assert.equal((await waits.ended).code, 0)
  })

  it('[P14] of an old version that starts again while a deploy rolls out says so, and its entries come back by a roll-back', async () => {
    const asking = new App(app, { broker: server.url })
    const scheduleOf = async () => (await timetable(asking).show('refresh-7'))?.schedule
    const becomes = (schedule: string) =>
      until(async () => (await scheduleOf()) === schedule, { timeoutMs: 20_000, everyMs: 50, what: schedule })
    const old = startOf('timetable')
    await becomes('1s')
    const next = startOf('timetable-next')
    await becomes('2s')
    old.child.kill('SIGKILL')
    await old.ended
    const again = startOf('timetable')
    await again.saw(/another version of this beat's code was started later/)
    assert.equal(await scheduleOf(), '2s')
    next.child.kill('SIGTERM')
    assert.equal((await next.ended).code, 0)
    await again.saw("the entries of this beat's code are brought into the store again")
    await becomes('1s')
    again.child.kill('SIGTERM')
    assert.equal((await again.ended).code, 0)
    await asking.close()
  })

  it('answers /healthz while it works, and says why not when it does not reach its store, or only its broker', async () => {
    const port = async ({ saw, output }: Command): Promise<string> => {
      await saw(/healthz on 127\.0\.0\.1:\d+/)
      return /healthz on 127\.0\.0\.1:(\d+)/.exec(output.stdout)?.[1] ?? ''
    }
    const beat = start('--healthz', '0')
    const byFile = start('--healthz', '0', '--store', `file:${join(folder, 'healthz')}`)
    const ports = [await port(beat), await port(byFile)]
    const healthOf = (at: string | undefined) => fetch(`http://127.0.0.1:${at}/healthz`)
    const status = (code: number) =>
      until(async () => (await Promise.all(ports.map(healthOf))).every((answer) => answer.status === code), {
        everyMs: 200,
        what: `${code}`,
      })
    await status(200)
    const well = (await (await healthOf(ports[0])).json()) as BeatHealth
    assert.deepEqual([well.ok, well.why, well.leader, well.entries], [true, null, true, 1])
    assert.equal((await fetch(`http://127.0.0.1:${ports[0]}/other`)).status, 404)
    process.kill(server.pid, 'SIGSTOP')
    try {
      await status(503)
      const why = await Promise.all(ports.map(async (at) => ((await (await healthOf(at)).json()) as BeatHealth).why))
      const silent = 'has not answered for \\d+ s'
      assert.match(why[0] ?? '', new RegExp(`^(the store of the timetable|redis://127\\.0\\.0\\.1:\\S+) ${silent}`))
      assert.match(why[1] ?? '', new RegExp(`^redis://127\\.0\\.0\\.1:\\S+ ${silent}`))
    } finally {
      process.kill(server.pid, 'SIGCONT')
    }
    await status(200)
    for (const { child, ended } of [beat, byFile]) {
      child.kill('SIGTERM')
      assert.equal((await ended).code, 0)
    }
  })

  it('keeps its timetable in a file, which commands read while it runs and change when it has stopped', async () => {
    const store = `file:${join(folder, 'timetable')}`
    const first = start('--store', store)
    await first.saw(`timetable ${store}`)
    await first.saw(/(published|skipped) refresh-7/)
    const second = await start('--store', store).ended
    assert.equal(second.code, 2)
    assert.match(second.stderr, new RegExp(`in use by process ${first.child.pid}: stop it first`))
    const schedule = (...args: string[]) => ask('schedule', ...args, '--store', store)
    assert.match((await schedule('history', 'refresh-7')).stdout, /published|skipped/)
    const refused = await schedule('disable', 'refresh-7')
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, new RegExp(`in use by process ${first.child.pid}: stop it first, and start it again`))
    first.child.kill('SIGTERM')
    assert.equal((await first.ended).code, 0)
    assert.equal((await schedule('disable', 'refresh-7')).code, 0)
    const { stdout, code } = await schedule('show', 'refresh-7')
    assert.equal(code, 0)
    assert.match(stdout, /slots +\d+ (published|skipped)/)
    assert.ok((await schedule('list')).stderr.includes(`timetable of app ${app} on ${store}\n`), 'the file is named')
  })

  it('refuses a store and an address that it cannot have, with a sentence', async () => {
    for (const [args, said] of [
      [['--store', 'redis://x'], /--store must be file:PATH/],
      [['--healthz', 'here'], /--healthz must be PORT or HOST:PORT/],
      [['--max-interval', '0'], /--max-interval/],
    ] as const) {
      const { code, stderr } = await start(...args).ended
      assert.match(stderr, said)
      assert.equal(code, 2)
    }
  })
})
