import assert from 'node:assert/strict'
import { bury, DEAD_LETTER_MS, emptyBox, lettersOf, remove } from '../../src/lock/dead-letter.js'
import { burialOf } from '../contract/lock-store/dead-letter.js'

describe('dead letters', () => {
  it('[P23] are kept for seven days, and so is what is known of removed ones', () => {
    const box = emptyBox()
    bury(box, burialOf('a'), 1_000)
    bury(box, burialOf('b'), 2_000)
    remove(box, 'b', 1, 3_000)
    assert.equal(lettersOf(box, 1_000 + DEAD_LETTER_MS - 1).length, 1)
    assert.equal(lettersOf(box, 1_000 + DEAD_LETTER_MS).length, 0)
    assert.equal(bury(box, burialOf('b'), 3_000 + DEAD_LETTER_MS - 1), false)
    assert.equal(bury(box, burialOf('b'), 3_000 + DEAD_LETTER_MS), true)
  })
})
