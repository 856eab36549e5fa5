import assert from 'node:assert/strict'
import { RunInHand } from '../../src/worker/run-in-hand.js'

describe('RunInHand', () => {
  /** The same memory, as main thread and dead-man see it. */
  function both(): { main: RunInHand; deadMan: RunInHand } {
    const main = new RunInHand()
    return { main, deadMan: new RunInHand(main.memory) }
  }

  it('shows the run that was taken last, and none once it was left', () => {
    const { main, deadMan } = both()
    assert.equal(deadMan.look(), null)
    main.take({ runId: '01KXLONGER', deadlineNs: 5n })
    main.take({ runId: 'b', deadlineNs: 7n })
    assert.deepEqual(deadMan.look(), { runId: 'b', deadlineNs: 7n })
    main.leave()
    assert.equal(deadMan.look(), null)
  })

  it('[P7] wakes a dead-man that sleeps, or that would look after the deadline only', () => {
    const { main, deadMan } = both()
    assert.equal(main.take({ runId: 'a', deadlineNs: 100n }), true)
    deadMan.lookAgainAt(50n)
    assert.equal(main.take({ runId: 'b', deadlineNs: 200n }), false)
    assert.equal(main.take({ runId: 'c', deadlineNs: 50n }), false)
    assert.equal(main.take({ runId: 'd', deadlineNs: 49n }), true)
  })

  it('counts the runs that were taken, those too that came and went between two looks', () => {
    const { main, deadMan } = both()
    for (const deadlineNs of [1n, 2n]) main.take({ runId: 'a', deadlineNs })
    main.leave()
    assert.deepEqual([deadMan.look(), deadMan.taken], [null, 2n])
  })

  it('tells of the end of a run only where the keeper knows of one', () => {
    const { main, deadMan } = both()
    main.take({ runId: 'a', deadlineNs: 100n })
    assert.equal(main.leave(), false)
    deadMan.told(true)
    assert.equal(main.leave(), true)
    deadMan.told(false)
    assert.equal(main.leave(), false)
  })

  it('[P6] a newer deadline of a run that was left is not given to the next', () => {
    const { main, deadMan } = both()
    main.take({ runId: 'a', deadlineNs: 100n })
    const seen = deadMan.look()
    assert.ok(seen)
    main.take({ runId: 'b', deadlineNs: 70n })
    deadMan.extend(seen, 500n)
    assert.equal(main.deadlineNs(), 70n)
    deadMan.extend({ runId: 'b', deadlineNs: 70n }, 90n)
    assert.equal(main.deadlineNs(), 90n)
  })

  it('takes no name that it cannot hold whole', () => {
    assert.throws(() => new RunInHand().take({ runId: 'x'.repeat(129), deadlineNs: 1n }), RangeError)
  })
})
