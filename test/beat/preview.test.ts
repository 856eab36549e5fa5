import assert from 'node:assert/strict'
import { preview } from '../../src/beat/preview.js'
import { UsageError } from '../../src/lock/error.js'

describe('a preview', () => {
  it('shows the next slots of a schedule text, with what the clocks of its zone show', () => {
    const request = { text: '30 2 * * *', zone: 'Europe/Berlin', after: Date.parse('2026-03-28T00:00:00Z'), count: 3 }
    assert.deepEqual(preview(request), {
      text: '30 2 * * *',
      warnings: [],
      slots: [
        { nominal: Date.parse('2026-03-28T01:30:00Z'), local: '2026-03-28T02:30:00+01:00' },
        { nominal: Date.parse('2026-03-29T01:30:00Z'), local: '2026-03-29T03:30:00+02:00' },
        { nominal: Date.parse('2026-03-30T00:30:00Z'), local: '2026-03-30T02:30:00+02:00' },
      ],
    })
    const west = preview({ text: '500ms', zone: 'America/St_Johns', after: 0, count: 1 })
    assert.deepEqual(west.slots, [{ nominal: 500, local: '1969-12-31T20:30:00.500-03:30' }])
    assert.equal(west.text, 'every 500ms')
  })

  it('shows fewer where no more come, and the warnings', () => {
    const once = preview({ text: 'at 2026-01-01T00:00:00Z', zone: 'UTC', after: 0, count: 5 })
    assert.deepEqual(once.slots, [{ nominal: Date.UTC(2026, 0, 1), local: '2026-01-01T00:00:00+00:00' }])
    assert.equal(preview({ text: '0 0 */2 * 1', zone: 'UTC', after: 0, count: 1 }).warnings.length, 1)
  })

  it('spreads H by the name it is given', () => {
    const first = (name: string) => preview({ text: 'H H * * *', zone: 'UTC', after: 0, count: 1, name }).slots[0]
    assert.notDeepEqual(first('a'), first('b'))
  })

  it('refuses what an entry would refuse, and an endless count', () => {
    const request = { text: '5m', zone: 'UTC', after: 0, count: 1 }
    const neverInNoZone = { text: 'at 1969-01-01T00:00:00Z', zone: 'Mars' }
    for (const wrong of [
      { text: 'monkey' },
      { zone: 'Mars' },
      neverInNoZone,
      { count: 0 },
      { count: 10_001 },
      { count: 1.5 },
    ]) {
      assert.throws(() => preview({ ...request, ...wrong }), UsageError)
    }
  })
})
