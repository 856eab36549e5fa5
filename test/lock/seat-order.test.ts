import assert from 'node:assert/strict'
import { seatOrder } from '../../src/lock/seat-order.js'

describe('seat order', () => {
  it('is seat 0 alone for a limit of 1', () => {
    assert.deepEqual(seatOrder(1, 'any'), [0])
  })

  it('[P1] is every seat once, from one on and round', () => {
    const order = seatOrder(5, '01J0000000000000000000000A')
    assert.deepEqual([...order].sort(), [0, 1, 2, 3, 4])
    for (const [at, seat] of order.slice(1).entries()) assert.equal(seat, ((order[at] ?? 0) + 1) % 5)
  })

  it('[P23] is bounded however many seats there are', () => {
    assert.equal(seatOrder(1_000, 'any').length, 16)
  })

  it('spreads deliveries over all first seats', () => {
    const first = new Set(Array.from({ length: 200 }, (_, n) => seatOrder(7, `delivery-${n}`)[0]))
    assert.equal(first.size, 7)
  })
})
