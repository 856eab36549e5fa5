import assert from 'node:assert/strict'
import { openMemory } from '../../adapters/memory/index.js'
import { mergeConfig, merging } from '../../src/beat/merge.js'
import { fireThrough, readingRows, readTimetable } from '../../src/beat/timetable.js'
import { App, type EntryInfo, Task, timetable } from '../../src/index.js'

class Ping extends Task {
  readonly name = 'ping'
  readonly params = ['host'] as const
  run(host: string): string {
    return host
  }
}

describe('the configuration of an app in the store', () => {
  const put = (name: string, config: string | null, spec = '{}') => ({ name, spec, config, maxRuns: null })

  it('keeps cursors, drops what is gone, and never touches what was added at run time', async () => {
    const { scheduleStore: store } = openMemory({ app: 'shop' })
    await mergeConfig(store, [put('a', 'a1'), put('b', 'b1'), put('c', 'c1')])
    await store.put([put('by hand', null)], 'add')
    const before = await store.show('a')
    await mergeConfig(store, [put('a', 'a1'), put('b', 'b2', '{"new":1}')])
    assert.deepEqual(await store.show('a'), before)
    assert.equal((await store.show('b'))?.spec, '{"new":1}')
    assert.equal(await store.show('c'), null)
    assert.equal((await store.show('by hand'))?.state, 'active')
    const { revision } = await store.changes(0, 1)
    await mergeConfig(store, [put('a', 'a1'), put('b', 'b2', '{"new":1}')])
    assert.equal((await store.changes(0, 1)).revision, revision, 'the second time there is nothing to do')
  })

  it('keeps an entry that somebody changes while the merge reads, and drops one that somebody else made anew', async () => {
    const { scheduleStore: store } = openMemory({ app: 'shop' })
    const show = async (name: string) =>
      (await store.changes(0, 9)).rows.find((row) => row.name === name) ?? assert.fail()
    await mergeConfig(store, [put('a', 'a1'), put('b', 'b1')])
    const merge = merging(store, [put('a', 'a1')])
    assert.equal(merge.keeps(await show('a')), true)
    assert.equal(merge.keeps(await show('b')), false)
    await store.alter('a', { to: 'disabled' })
    assert.equal(merge.keeps(await show('a')), true)
    await store.alter('b', { to: 'removed', config: null })
    assert.equal(merge.keeps(await show('b')), true)
    await store.put([put('b', null)], 'add')
    await merge.write()
    assert.equal((await store.show('a'))?.state, 'disabled')
    assert.equal((await store.show('b'))?.state, 'active')
  })

  it('is served by its own objects, functions too; by an app without them it is left alone', async () => {
    const asked: string[] = []
    const app = new App('shop', {
      broker: 'memory:',
      beatSchedule: {
        lazy: {
          task: 'ping',
          schedule: '1h',
          args: ({ entry, nominal }) => [String(asked.push(`${entry} ${nominal.toISOString()}`))],
        },
      },
    })
    app.register(Ping)
    const config = readTimetable(app)
    const { servers } = await app.connection()
    await mergeConfig(
      servers.scheduleStore,
      config.map((line) => line.put),
    )
    const [row] = (await servers.scheduleStore.changes(0, 9)).rows
    assert.ok(row)
    const entry = readingRows(app, config)(row)
    assert.ok(entry)
    const nominal = Date.UTC(2026, 0, 1)
    await fireThrough(app)(entry, { nominal, messageId: 'b-1', publishBefore: Number.POSITIVE_INFINITY })
    const published = await servers.engine.counts('default')
    assert.equal(published.waiting, 1)
    assert.deepEqual(asked, ['lazy 2026-01-01T00:00:00.000Z'])
    const other = new App('shop', { broker: 'memory:' })
    const ping = other.register(Ping)
    other.onAfterConfigure(() => {
      other.addPeriodicTask('1h', ping.s('x'), { name: 'plain', jitter: '1m', maxRuns: 3 })
    })
    other.configure()
    assert.equal(readingRows(other, readTimetable(other))(row), undefined)
    const [plain] = readTimetable(other)
    assert.deepEqual([plain?.put.name, plain?.put.maxRuns, plain?.entry.jitterMs], ['plain', 3, 60_000])
    await (await app.connection()).store.destroy()
    await app.close()
  })

  it('takes changes of code entries at run time only where code is not needed', async () => {
    const app = new App('shop', {
      broker: 'memory:',
      beatSchedule: { hourly: { task: 'ping', schedule: '1h', args: ['x'] } },
    })
    app.register(Ping)
    const { servers } = await app.connection()
    await mergeConfig(
      servers.scheduleStore,
      readTimetable(app).map((line) => line.put),
    )
    const table = timetable(app)
    assert.equal((await table.change('hourly', { schedule: '2h' }))?.schedule, '2h')
    await assert.rejects(table.change('hourly', { args: () => [] }), /args lives in code and cannot be stored/)
    await assert.rejects(
      table.add('x', { task: 'ping', schedule: { next: () => undefined }, args: ['x'] }),
      /schedule lives in code/,
    )
    await assert.rejects(table.add('x', { task: 'pong', schedule: '1h' }), /calls the task 'pong'/)
    await assert.rejects(table.remove('hourly'), /comes from the app's code/)
    assert.equal((await table.add('by-hand', { task: 'ping', schedule: '1h', kwargs: { host: 'y' } })).from, 'store')
    assert.equal((await table.change('by-hand', { args: ['z'] }))?.entry.kwargs, undefined)
    assert.equal(await table.pause('nobody'), undefined)
    assert.equal(await table.remove('by-hand'), true)
    await app.close()
  })

  it('shows and alters an entry that only a newer version can read, and the others beside it', async () => {
    const app = new App('shop', { broker: 'memory:' })
    app.register(Ping)
    const { servers, store } = await app.connection()
    const spec = JSON.stringify({ task: 'ping', schedule: '1h', newer: true })
    await servers.scheduleStore.put([{ name: 'strange', spec, config: null, maxRuns: null }], 'add')
    const table = timetable(app)
    await table.add('plain', { task: 'ping', schedule: '1h', args: ['x'] })
    const listed: EntryInfo[] = []
    for await (const info of table.list()) listed.push(info)
    assert.deepEqual(
      listed.map(({ name, next }) => [name, next !== null]),
      [
        ['strange', false],
        ['plain', true],
      ],
    )
    assert.match(listed[0]?.unreadable ?? '', /has no field 'newer'/)
    assert.equal((await table.disable('strange'))?.state, 'disabled')
    await store.destroy()
    await app.close()
  })
})
