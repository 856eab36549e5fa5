import assert from 'node:assert/strict'
import { type Load, sizeFor } from '../../src/worker/autoscale.js'

describe('sizeFor', () => {
  const bounds = { max: 8, min: 2, idleMs: 30_000 }
  const size = (load: Partial<Load>) => sizeFor(bounds, { size: 4, waiting: 0, peak: 0, sinceMs: 0, ...load })

  it('grows by what waits, up to its bound, however short ago it changed', () => {
    assert.deepEqual(
      [1, 3, 4, 5, 1000].map((waiting) => size({ waiting })),
      [5, 7, 8, 8, 8],
    )
    assert.equal(size({ size: 8, waiting: 5 }), 8)
    assert.equal(size({ waiting: 1, sinceMs: 60_000 }), 5, 'waiting work comes before idle places')
  })

  it('shrinks to what was needed at most, only after the idle time, never below its bound', () => {
    assert.equal(size({ sinceMs: 29_999 }), 4)
    assert.deepEqual(
      [0, 1, 2, 3, 4, 6].map((peak) => size({ peak, sinceMs: 30_000 })),
      [2, 2, 2, 3, 4, 4],
    )
  })

  it('comes back to its bounds', () => {
    assert.equal(size({ size: 1 }), 2)
    assert.equal(size({ size: 9, waiting: 1 }), 9, 'what runs beyond goes by idleness')
  })
})
