import assert from 'node:assert/strict'
import { clocked } from '../../src/beat/clocked.js'
import { crontab } from '../../src/beat/crontab.js'
import { configHash, entryOf, scheduleText, specOf, specText } from '../../src/beat/entry-spec.js'
import { every } from '../../src/beat/every.js'
import type { Entry } from '../../src/index.js'

const AT = Date.UTC(2026, 0, 1)

describe('an entry as it is stored', () => {
  it('reads back as the same entry', () => {
    const entry: Entry = {
      task: 'report',
      schedule: '0 3 * * *',
      kwargs: { day: 'monday', deep: { list: [1, null, 'ü'] } },
      once: { overlap: 'defer', timeout: '10m' },
      options: { queue: 'slow', priority: 3, expires: '5m' },
      startsAt: '2026-01-01T00:00:00Z',
      timezone: 'Europe/Berlin',
      external: true,
      maxRuns: 3,
    }
    const read = entryOf('e', specText(specOf(entry)), undefined)
    assert.deepEqual(read, entry)
  })

  for (const schedule of [
    every('90s', { anchor: '2026-01-01T00:00:10Z' }),
    crontab({ minute: '*/7', dayOfWeek: 'mon' }),
    clocked('2027-03-01T00:00:00Z'),
  ]) {
    it(`keeps ${schedule.text} as text that means the same`, () => {
      const read = entryOf('e', specText(specOf({ task: 'report', schedule })), undefined)
      assert.equal(read?.schedule, schedule.text)
      assert.equal(scheduleText(specOf({ task: 'report', schedule })), schedule.text)
    })
  }

  it('has the same text whatever the order of its fields, and another for another entry', () => {
    const hash = (entry: Entry) => configHash(specText(specOf(entry)))
    assert.equal(hash({ task: 'a', schedule: '5m' }), hash({ schedule: '5m', task: 'a' }))
    assert.notEqual(hash({ task: 'a', schedule: '5m' }), hash({ task: 'a', schedule: '6m' }))
  })

  it('leaves functions to those who have the code, also a rule that shows the text of another', () => {
    const own = { next: () => AT, text: '0 3 * * *' }
    const entry: Entry = { task: 'report', schedule: own, args: () => [1], options: { expires: new Date(Number.NaN) } }
    const spec = specOf(entry)
    assert.deepEqual(spec.code, ['args', 'options', 'schedule'])
    assert.equal(scheduleText(spec), '0 3 * * *')
    assert.equal(entryOf('e', specText(spec), undefined), undefined)
    assert.deepEqual(entryOf('e', specText(spec), entry), entry)
  })
})
