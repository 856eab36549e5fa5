import assert from 'node:assert/strict'
import { deliveryInstruction, instructionFor, type Overlap } from '../../src/lock/overlap.js'

describe('overlap policy', () => {
  for (const [overlap, instruction] of [
    ['raise', { do: 'refuse' }],
    ['skip', { do: 'refuse' }],
    ['defer', { do: 'park', capacity: 1, keep: 'latest' }],
    ['queue', { do: 'park', capacity: 9, keep: 'all' }],
    ['replace', { do: 'replace', minRunMs: 5 }],
    ['allow', { do: 'pass' }],
  ] as const) {
    it(`${overlap} means ${instruction.do} at publish`, () => {
      const policy = { overlap, keep: 'latest', maxParked: 9, minRunMs: 5 } as const
      assert.deepEqual(instructionFor(policy), instruction)
    })
  }

  for (const overlap of ['raise', 'skip', 'defer', 'queue', 'replace', 'allow'] satisfies Overlap[]) {
    it(`[P11] ${overlap}: an accepted message that lost its hold is never skipped`, () => {
      assert.equal(deliveryInstruction(overlap, true), 'coalesce')
    })
  }

  for (const [overlap, instruction] of [
    ['raise', 'skip'],
    ['skip', 'skip'],
    ['defer', 'wait'],
    ['queue', 'wait'],
    ['replace', 'replace'],
    ['allow', 'wait'],
  ] as const) {
    it(`${overlap} means ${instruction} for a message that never had a hold`, () => {
      assert.equal(deliveryInstruction(overlap, false), instruction)
    })
  }
})
