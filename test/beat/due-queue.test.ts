import assert from 'node:assert/strict'
import fc from 'fast-check'
import { DueQueue } from '../../src/beat/due-queue.js'

describe('the queue of what is due', () => {
  it('hands out what is due by an instant, the earliest first, after any changes', () => {
    const change = fc.record({
      item: fc.nat({ max: 15 }),
      at: fc.option(fc.integer({ min: 0, max: 50 }), { nil: null }),
    })
    const property = fc.property(fc.array(change), fc.integer({ min: 0, max: 50 }), (changes, now) => {
      const queue = new DueQueue<number>()
      const model = new Map<number, number>()
      for (const { item, at } of changes) {
        if (at === null) {
          queue.delete(item)
          model.delete(item)
        } else {
          queue.set(item, at)
          model.set(item, at)
        }
      }
      assert.equal(queue.size, model.size)
      assert.equal(queue.earliest, Math.min(...model.values()))
      const due = queue.takeDue(now).map((item) => model.get(item))
      assert.deepEqual(due, sorted([...model.values()].filter((at) => at <= now)))
      const rest = queue.takeDue(50).map((item) => model.get(item))
      assert.deepEqual(rest, sorted([...model.values()].filter((at) => at > now)))
    })
    fc.assert(property)
  })

  it('is empty once cleared', () => {
    const queue = new DueQueue<string>()
    queue.set('a', 1)
    queue.clear()
    assert.deepEqual(queue.takeDue(9), [])
  })
})

function sorted(numbers: readonly number[]): number[] {
  return [...numbers].sort((a, b) => a - b)
}
