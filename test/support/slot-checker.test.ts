import assert from 'node:assert/strict'
import type { Decision, DecisionName } from '../../src/beat/schedule-store.js'
import { slotId } from '../../src/beat/slot-id.js'
import { type EntryEvidence, judgeSlots, quantile, type SlotVerdict } from './slot-checker.js'
import type { SlotLine } from './slot-log.js'

function decided(nominal: number, decision: DecisionName, more: Partial<Decision> = {}): Decision {
  return { entry: 'e', nominal, decision, holder: null, slots: 1, term: 1, at: nominal + 5, ...more }
}

/** A message's way: each event so many ms after the slot. */
function way(nominal: number, ...events: readonly [SlotLine['event'], number][]): SlotLine[] {
  return events.map(([event, afterMs]) => ({ event, id: slotId('e', nominal), at: nominal + afterMs }))
}

const sound: EntryEvidence = {
  entry: 'e',
  due: [100, 200, 300, 400, 500, 600],
  decisions: [
    decided(100, 'published'),
    decided(200, 'skipped'),
    decided(400, 'missed', { slots: 2, term: 0 }),
    decided(500, 'deferred'),
    decided(600, 'published'),
  ],
  counts: { published: 2, skipped: 1, missed: 2, deferred: 1 },
}
const lines: readonly SlotLine[] = [
  ...way(100, ['sent', 1], ['delivered', 2], ['ran', 3]),
  ...way(500, ['delivered', 60], ['ran', 70]),
  // A beat that took the claim over sends again; the engine may hand it out again, and no body runs.
  ...way(600, ['sent', 4], ['sent', 2_000], ['delivered', 2_010], ['ran', 2_020], ['delivered', 2_400]),
]

function judged(change: Partial<EntryEvidence>, seen = lines): SlotVerdict {
  return judgeSlots({ entries: [{ ...sound, ...change }], lines: seen })
}

/** The history with one decision put in another's place, counted as it says. */
function withDecision(at: number, decision: Decision): EntryEvidence['decisions'] {
  return sound.decisions.with(at, decision)
}

describe('the checker of the beat race', () => {
  it('[P14] finds nothing wrong with slots of which each has one decision, and tells how late they were', () => {
    const { wrong, lateMs, ...figures } = judged({})
    assert.deepEqual(wrong, [])
    assert.deepEqual(lateMs, [1, 4])
    assert.deepEqual(figures, {
      ...{ slots: 6, published: 2, missing: 0, doubled: 0, early: 0, unmatched: 0 },
      decided: { published: 2, skipped: 1, missed: 2, deferred: 1 },
    })
  })

  it('[P14] finds a slot without a decision', () => {
    const { missing, wrong } = judged({ decisions: sound.decisions.toSpliced(1, 1) })
    assert.equal(missing, 1)
    assert.equal(wrong[0], 'e: slot 200 has no decision')
  })

  it('[P14] finds a slot that dropped ones were counted short of', () => {
    assert.equal(judged({ decisions: withDecision(2, decided(400, 'missed', { term: 0 })) }).missing, 1)
  })

  it('[P14] finds a slot with two decisions, and one that was dropped and decided', () => {
    const twice = judged({ decisions: [...sound.decisions, decided(200, 'skipped', { term: 2 })] })
    assert.deepEqual([twice.doubled, twice.wrong[0]], [1, 'e: slot 200 has 2 decisions'])
    assert.equal(judged({ decisions: withDecision(2, decided(400, 'missed', { slots: 3, term: 0 })) }).doubled, 1)
  })

  it('[P14] finds a message that ran twice', () => {
    const { doubled, wrong } = judged({}, [...lines, ...way(100, ['ran', 9])])
    assert.deepEqual([doubled, wrong.length], [1, 1])
    assert.match(wrong[0] ?? '', /ran 2 times/)
  })

  it('[P15] finds a message that was sent, or seen, before its time, whatever its decision says', () => {
    assert.match(judged({}, [...lines, ...way(600, ['sent', -1])]).wrong[0] ?? '', /slot 600 was sent 1 ms early/)
    assert.equal(judged({}, [...lines, ...way(500, ['delivered', -2])]).early, 1)
    // Sent, and its beat died: no message, no decision, and early all the same.
    assert.equal(judged({}, [...lines, ...way(200, ['sent', -3])]).early, 1)
  })

  it('[P15] finds a decision, and a drop, before its time', () => {
    assert.equal(judged({ decisions: withDecision(0, decided(100, 'published', { at: 99 })) }).early, 1)
    assert.equal(judged({ decisions: withDecision(2, decided(400, 'missed', { slots: 2, at: 399 })) }).early, 1)
  })

  it('[P14] finds a message without a decision: of a slot that was refused, and of none', () => {
    assert.match(judged({}, [...lines, ...way(200, ['delivered', 5])]).wrong[0] ?? '', /is of no accepted slot/)
    assert.equal(judged({}, [...lines, ...way(250, ['delivered', 5])]).unmatched, 1)
    assert.equal(judged({}, [...lines, ...way(200, ['sent', 5])]).unmatched, 0)
  })

  it('[P14] finds a decision without a message, sent or not, and a message that nobody ran', () => {
    const of100 = slotId('e', 100)
    const others = lines.filter(({ id }) => id !== of100)
    assert.match(judged({}, others).wrong[0] ?? '', /is nowhere/)
    assert.equal(judged({}, [...others, ...way(100, ['sent', 1])]).unmatched, 1)
    assert.match(judged({}, [...others, ...way(100, ['delivered', 1])]).wrong[0] ?? '', /never ran/)
    const of500 = slotId('e', 500)
    const lost = lines.filter(({ id }) => id !== of500)
    assert.equal(judged({}, lost).unmatched, 1, 'a deferred call is a message too')
  })

  it('[P14] finds a decision about what is no slot', () => {
    const { wrong } = judged({ decisions: [...sound.decisions, decided(250, 'skipped')] })
    assert.ok(wrong.includes('e: 250 was skipped and is no slot of its rule'))
  })

  it('[P14] finds counts that do not add up to the slots due, or not to the rows', () => {
    const short = judged({ counts: { ...sound.counts, missed: 1 } }).wrong
    assert.deepEqual(short, ['e: 6 slots were due, 5 are counted', 'e: 2 slots were missed, 1 are counted'])
    const swapped = judged({ counts: { ...sound.counts, skipped: 2, missed: 1 } }).wrong
    assert.equal(swapped.length, 2)
  })

  it('[P14] finds an error', () => {
    const counts = { published: 2, error: 1, missed: 2, deferred: 1 }
    const { wrong } = judged({ decisions: withDecision(1, decided(200, 'error')), counts })
    assert.deepEqual(wrong, ['e: slot 200 ended in an error'])
  })

  it('tells quantiles', () => {
    assert.deepEqual([quantile([1, 2, 3, 4], 0.5), quantile([1, 2, 3, 4], 1), quantile([], 0.5)], [2, 4, null])
  })
})
