import assert from 'node:assert/strict'
import { areRivals, entrySet, type HolderSet, holdsAtPublish, MODES, runSet } from '../../src/lock/mode.js'

const SETS: readonly HolderSet[] = ['all', 'waiting', 'running', 'free']

describe('lock mode', () => {
  for (const [mode, entry, run] of [
    ['untilExecuted', 'all', 'all'],
    ['untilExecuting', 'all', 'free'],
    ['whileExecuting', 'running', 'running'],
    ['untilAndWhileExecuting', 'waiting', 'running'],
    ['untilExpired', 'all', 'all'],
  ] as const) {
    it(`${mode} waits in '${entry}' and runs in '${run}'`, () => {
      assert.deepEqual([entrySet(mode), runSet(mode)], [entry, run])
    })
  }

  it('whileExecuting alone takes no hold at publish', () => {
    assert.deepEqual(
      MODES.filter((mode) => !holdsAtPublish(mode)),
      ['whileExecuting'],
    )
  })

  it('[P1] rivals are the same set, and everyone of a whole hold; a free run is nobody’s', () => {
    const pairs = SETS.flatMap((one) => SETS.filter((other) => areRivals(one, other)).map((other) => `${one}-${other}`))
    assert.deepEqual(pairs, [
      'all-all',
      'all-waiting',
      'all-running',
      'waiting-all',
      'waiting-waiting',
      'running-all',
      'running-running',
    ])
  })
})
