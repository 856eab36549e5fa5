import assert from 'node:assert/strict'
import { App, type EntryInfo, timetable, UsageError } from '../../src/index.js'
import { putOf } from './beat-bench.js'

/** What a newer version may write: another form, another field, another kind of schedule. */
const FOREIGN = {
  form: 'beatlock/2 …',
  field: '{"task":"ping","schedule":"1h","moon":"full"}',
  schedule: '{"task":"ping","schedule":"lunar full"}',
  object: '{"task":"ping","schedule":{"moon":"full"},"timezone":"Luna/Tycho"}',
  code: '{"task":"ping","schedule":{"code":"each full moon"},"code":["schedule"]}',
}

describe('an entry that cannot be read here', () => {
  let app: App
  before(async () => {
    app = new App('entry-info', { broker: 'memory:' })
    app.task('ping', {}, () => 'pong')
    const { scheduleStore } = (await app.connection()).servers
    const puts = Object.entries({ ...FOREIGN, known: '{"task":"ping","schedule":"1h"}' })
    await scheduleStore.put(
      puts.map(([name, spec]) => putOf(name, { spec })),
      'add',
    )
  })
  after(async () => {
    await (await app.connection()).servers.scheduleStore.destroy()
    await app.close()
  })

  it('is listed as such, with what is known of it, and hides no other', async () => {
    const listed: EntryInfo[] = []
    for await (const info of timetable(app).list()) listed.push(info)
    assert.deepEqual(
      listed.map(({ name, task, schedule }) => [name, task, schedule]),
      [
        ['form', '?', '?'],
        ['field', 'ping', '1h'],
        ['schedule', 'ping', 'lunar full'],
        ['object', 'ping', '?'],
        ['code', 'ping', 'each full moon'],
        ['known', 'ping', '1h'],
      ],
    )
    const why = Object.fromEntries(listed.map(({ name, unreadable }) => [name, unreadable]))
    assert.match(why['form'] ?? '', /stored in a form that this version of beatlock does not know/)
    assert.match(why['field'] ?? '', /has no field 'moon'/)
    assert.match(why['schedule'] ?? '', /"lunar" is unknown/)
    assert.match(why['object'] ?? '', /schedule must be/)
    assert.equal(why['code'], 'its code is elsewhere')
    assert.equal(why['known'], null)
    assert.deepEqual(
      listed.filter(({ next }) => next !== null).map(({ name }) => name),
      ['known'],
    )
  })

  it('can be disabled and removed, and is changed only where it is understood', async () => {
    const table = timetable(app)
    assert.equal((await table.disable('form'))?.state, 'disabled')
    await assert.rejects(table.change('form', { schedule: '5m' }), (error) => {
      assert.ok(error instanceof UsageError)
      assert.match(error.message, /'form' is stored in a form/)
      return true
    })
    assert.equal(await table.remove('form'), true)
    assert.equal((await table.change('schedule', { schedule: '5m' }))?.unreadable, null)
  })
})
