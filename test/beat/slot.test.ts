import assert from 'node:assert/strict'
import fc from 'fast-check'
import { crontab } from '../../src/beat/crontab.js'
import { every } from '../../src/beat/every.js'
import { dueAt, nextSlot } from '../../src/beat/slot.js'

const START = Date.UTC(2026, 0, 1)
const HOURLY = { name: 'rollup', schedule: every('1h'), zone: 'UTC' }

describe('a slot', () => {
  it('lies at or after the start and before the end', () => {
    const bounded = { ...HOURLY, startsAt: START, endsAt: START + 7_200_000 }
    assert.equal(nextSlot(bounded, 0), START)
    assert.equal(nextSlot(bounded, START), START + 3_600_000)
    assert.equal(nextSlot(bounded, START + 3_600_000), undefined)
  })

  it('goes out at its nominal time, or by jitter later, in order and before the next one', () => {
    assert.equal(dueAt(HOURLY, START), START)
    const drawn = fc.record({ jitterMs: fc.nat(10_000_000), name: fc.string(), slot: fc.nat(100_000) })
    const property = fc.property(drawn, ({ jitterMs, name, slot }) => {
      const entry = { ...HOURLY, name, jitterMs }
      const nominal = slot * 3_600_000
      const at = dueAt(entry, nominal)
      assert.ok(at >= nominal && at - nominal < Math.max(1, jitterMs) && at < nominal + 3_600_000)
      assert.equal(dueAt({ ...entry }, nominal), at, 'the same for every beat')
    })
    fc.assert(property)
  })

  it('is spread by jitter over entries, and over the slots of one', () => {
    const shares = (entry: typeof HOURLY, nominal: number) =>
      (dueAt({ ...entry, jitterMs: 1_000 }, nominal) - nominal) / 1_000
    const names = Array.from({ length: 500 }, (_, index) => shares({ ...HOURLY, name: `e${index}` }, START))
    const slots = Array.from({ length: 500 }, (_, index) => shares(HOURLY, START + index * 3_600_000))
    for (const drawn of [names, slots]) {
      const mean = drawn.reduce((sum, each) => sum + each, 0) / drawn.length
      assert.ok(mean > 0.4 && mean < 0.6, String(mean))
      assert.ok(Math.min(...drawn) < 0.1 && Math.max(...drawn) > 0.9)
    }
  })

  it('keeps the whole of its jitter when it is the last', () => {
    const last = { name: 'once', schedule: crontab(), zone: 'UTC', endsAt: START + 1, jitterMs: 3_600_000 }
    assert.equal(nextSlot(last, START), undefined)
    assert.ok(dueAt(last, START) - START < 3_600_000)
  })
})
