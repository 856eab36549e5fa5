import assert from 'node:assert/strict'
import { App, type DecisionInfo, type EntryInfo } from '../../src/index.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'
import { type Command, type Ended, fixture, runCommand, startCommand } from './command.js'

describe('schedule', function () {
  this.timeout(120_000)
  let server: RedisServer
  let beat: Command
  before(async () => {
    server = await startRedis()
    beat = startCommand(['-A', fixture('timetable'), '--broker', server.url, 'beat'])
    await beat.saw('entry refresh-7')
    await until(async () => (await listed()).length > 0)
  })
  after(async () => {
    beat.child.kill('SIGTERM')
    assert.equal((await beat.ended).code, 0)
    await server.stop()
  })

  const byCode = (...args: string[]) => runCommand(['-A', fixture('shop'), '--broker', server.url, 'schedule', ...args])
  const byName = (...args: string[]) => runCommand(['--app', 'shop', '--broker', server.url, 'schedule', ...args])
  const listed = async () => json<EntryInfo[]>(await byName('list', '--json'))

  it('list and show tell what runs when, what became of it, and where it is from', async () => {
    await until(async () => (await listed())[0]?.last, { everyMs: 200 })
    const [entry] = await listed()
    assert.ok(entry)
    const { name, task, schedule, timezone, overlap, state, from } = entry
    assert.deepEqual(
      { name, task, schedule, timezone, overlap, state, from },
      {
        name: 'refresh-7',
        task: 'feeds.refresh',
        schedule: '1s',
        timezone: 'UTC',
        overlap: 'skip',
        state: 'active',
        from: 'config',
      },
    )
    const { stdout, stderr } = await byCode('list')
    assert.match(
      stdout,
      /^NAME +TASK +SCHEDULE +NEXT +LAST +OUTCOME +OVERLAP +RUNS +STATE\nrefresh-7 +feeds\.refresh +1s +20/,
    )
    assert.match(stderr, /timetable of app shop on redis:/)
    assert.match(
      (await byName('show', 'refresh-7')).stdout,
      /^refresh-7\n {2}task +feeds\.refresh\n {2}schedule +1s \(UTC\)/,
    )
  })

  it('an entry added while a beat runs is served within seconds, one that is disabled no more', async () => {
    const added = await byCode(
      'add',
      'refresh-9',
      '--task',
      'feeds.refresh',
      '--schedule',
      '1s',
      '--args',
      '[9]',
      '--overlap',
      'skip',
    )
    assert.equal(added.code, 0, added.stderr)
    await beat.saw('published refresh-9', 5_000)
    const changed = await byCode(
      'change',
      'refresh-9',
      '--schedule',
      'at 2090-01-01T00:00:00Z',
      '--timezone',
      'Asia/Tokyo',
      '--json',
    )
    assert.equal(json<EntryInfo>(changed).nextLocal, '2090-01-01T09:00:00+09:00')
    assert.equal(json<EntryInfo>(await byName('disable', 'refresh-9', '--json')).state, 'disabled')
    assert.equal((await byName('enable', 'refresh-9')).code, 0)
    assert.equal((await byName('remove', 'refresh-9')).stdout, 'removed refresh-9\n')
    assert.deepEqual(
      (await listed()).map(({ name }) => name),
      ['refresh-7'],
    )
  })

  it('an entry of a newer version is listed as not readable here, told of by the beat, and left alone', async () => {
    const app = new App('shop', { broker: server.url })
    try {
      const spec = '{"task":"feeds.refresh","schedule":"lunar full"}'
      await (await app.connection()).servers.scheduleStore.put(
        [{ name: 'moon', spec, config: null, maxRuns: null }],
        'add',
      )
      await beat.saw(/entry moon: this beat cannot read it \(.*"lunar" is unknown.*left to beats that can/, 5_000)
      assert.match((await byName('list')).stdout, /^moon +feeds\.refresh +lunar full +- .*active, not readable here$/m)
      assert.match((await byName('show', 'moon')).stdout, /unreadable +.*"lunar" is unknown/)
      assert.equal((await byName('remove', 'moon')).code, 0)
    } finally {
      await app.close()
    }
  })

  it('an instant that has passed is taken with a warning, and headers with the entry', async () => {
    const past = ['past', '--task', 'feeds.refresh', '--schedule', 'at 2020-01-01T00:00:00Z', '--args', '[1]']
    const added = await byName('add', ...past, '--headers', '{"tenant":"7"}', '--json')
    assert.equal(added.code, 0)
    assert.match(added.stderr, /no slot of past is to come: 'at 2020-01-01T00:00:00Z' has none after now/)
    assert.deepEqual(json<EntryInfo>(added).entry.options, { headers: { tenant: '7' } })
    const wrong = await byName('change', 'past', '--headers', '{"tenant":7}')
    assert.equal(wrong.code, 2)
    assert.match(wrong.stderr, /headers\["tenant"\] must be text/)
    assert.equal((await byName('remove', 'past')).code, 0)
  })

  it('[P14] history tells each slot once, with the holder of those that were skipped; the counts are its sum', async () => {
    const rows = await until(
      async () => {
        const found = json<DecisionInfo[]>(await byName('history', 'refresh-7', '--limit', '100', '--json'))
        return found.some(({ decision }) => decision === 'skipped') ? found : undefined
      },
      { everyMs: 200 },
    )
    const skipped = rows.find(({ decision }) => decision === 'skipped')
    assert.match(skipped?.holder ?? '', /^b-[0-9a-f]{32}-\d+$/)
    assert.equal(new Set(rows.map(({ nominal }) => nominal)).size, rows.length)
    assert.match((await byName('history', 'refresh-7', '--limit', '2')).stdout, /^SLOT +OUTCOME +SLOTS +HELD BY/)
  })

  it('pause, resume and run', async () => {
    const paused = json<EntryInfo>(await byName('pause', 'refresh-7', '--why', 'too loud', '--json'))
    assert.deepEqual([paused.state, paused.pausedWhy, paused.next], ['paused', 'too loud', null])
    const ran = await byName('run', 'refresh-7')
    assert.match(ran.stdout, /^(published|skipped) refresh-7 as b-/)
    assert.match((await byName('list')).stdout, /paused since 20.*\(too loud\)/)
    assert.match((await byName('show', 'refresh-7')).stdout, /\n {2}next {7}paused\n/)
    assert.equal(json<EntryInfo>(await byName('resume', 'refresh-7', '--from', 'pausedAt', '--json')).state, 'active')
  })

  it('preview shows the next slots of any schedule in any zone', async () => {
    const at = ['--after', '2026-03-28T12:00:00Z']
    const { stdout } = await runCommand([
      'schedule',
      'preview',
      '30 2 * * *',
      '--timezone',
      'Europe/Berlin',
      '-n',
      '2',
      ...at,
    ])
    assert.equal(stdout, '2026-03-29T03:30:00+02:00\n2026-03-30T02:30:00+02:00\n')
    const { slots } = json<{ slots: { nominal: string }[] }>(
      await runCommand(['schedule', 'preview', '1h', '-n', '1', ...at, '--json']),
    )
    assert.deepEqual(
      slots.map(({ nominal }) => nominal),
      ['2026-03-28T13:00:00.000Z'],
    )
  })

  it('tells by its exit code that an entry is unknown, or that what was asked is wrong, and changes nothing', async () => {
    const before = await listed()
    const ends: [Promise<Ended>, number, RegExp][] = [
      [byName('show', 'nobody'), 3, /there is no entry 'nobody'/],
      [byName('pause', 'nobody'), 3, /there is no entry/],
      [byName('history', 'nobody'), 3, /there is no entry/],
      [byName('add', 'x', '--task', 'feeds.refresh'), 2, /needs --schedule/],
      [byName('add', 'refresh-7', '--task', 'feeds.refresh', '--schedule', '5m'), 2, /'refresh-7' exists/],
      [
        byCode('add', 'x', '--task', 'feeds.refrsh', '--schedule', '5m'),
        2,
        /did you mean 'feeds\.refresh'|feeds\.refresh/,
      ],
      [byCode('add', 'x', '--task', 'feeds.refresh', '--schedule', 'monkey'), 2, /entry x.*monkey/],
      [
        byCode('add', 'x', '--task', 'feeds.refresh', '--schedule', '5m', '--overlap', 'queu'),
        2,
        /overlap must be one of/,
      ],
      [byName('add', 'x', '--task', 'elsewhere', '--schedule', '5m', '--overlap', 'queu'), 2, /did you mean "queue"/],
      [byName('change', 'refresh-7', '--jitter', '5m'), 2, /jitter/],
      [byName('change', 'refresh-7'), 2, /needs what to change/],
      [byName('remove', 'refresh-7'), 2, /comes from the app's code/],
      [byName('resume', 'refresh-7', '--from', 'then'), 2, /--from must be now or pausedAt/],
      [runCommand(['--broker', server.url, 'schedule', 'list']), 2, /needs the app/],
      [runCommand(['schedule', 'preview', '31 31 * * *']), 2, /31/],
    ]
    for (const [ended, code, said] of ends) {
      const { code: was, stderr } = await ended
      assert.match(stderr, said)
      assert.equal(was, code, stderr)
    }
    assert.deepEqual(
      (await listed()).map(({ entry, state }) => ({ entry, state })),
      before.map(({ entry, state }) => ({ entry, state })),
    )
  })

  it('--help shows how to write a schedule', async () => {
    const { stdout, code } = await runCommand(['schedule', 'add', '--help'])
    assert.equal(code, 0)
    assert.match(stdout, /cron text +'0 3 \* \* \*'/)
    assert.match(stdout, /Examples:\n {2}beatlock -A \.\/app\.js schedule add refresh-9 --task feeds\.refresh/)
  })
})

function json<T>({ stdout, stderr }: Ended): T {
  assert.ok(stdout !== '', stderr)
  return JSON.parse(stdout) as T
}
