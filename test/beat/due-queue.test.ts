import assert from 'node:assert/strict'
import fc from 'fast-check'
import { DueQueue } from '../../src/beat/due-queue.js'

describe('the queue of what is due', () => {
  it('hands out what is due by an instant, the earliest first, and keeps the rest', () => {
    const instants = fc.array(fc.integer({ min: 0, max: 50 }))
    const property = fc.property(instants, instants, fc.integer({ min: 0, max: 50 }), (first, second, now) => {
      const queue = new DueQueue<number>()
      for (const at of first) queue.push(at, at)
      const early = queue.takeDue(now)
      assert.deepEqual(early, sorted(first.filter((at) => at <= now)))
      for (const at of second) queue.push(at, at)
      const rest = sorted([...first.filter((at) => at > now), ...second])
      assert.equal(queue.earliest, rest[0] ?? Number.POSITIVE_INFINITY)
      assert.equal(queue.size, rest.length)
      assert.deepEqual(queue.takeDue(50), rest)
    })
    fc.assert(property)
  })

  it('is empty once cleared', () => {
    const queue = new DueQueue<string>()
    queue.push('a', 1)
    queue.clear()
    assert.deepEqual(queue.takeDue(9), [])
  })
})

function sorted(numbers: readonly number[]): number[] {
  return [...numbers].sort((a, b) => a - b)
}
