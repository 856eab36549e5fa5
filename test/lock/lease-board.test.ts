import assert from 'node:assert/strict'
import type { LockKey } from '../../src/lock/key.js'
import { LeaseBoard } from '../../src/lock/lease-board.js'
import type { HeldLease } from '../../src/lock/lease-keeper.js'

describe('LeaseBoard', () => {
  /** The same memory, as the main thread and the keeper see it. */
  function both(): { main: LeaseBoard; keeper: LeaseBoard } {
    const main = new LeaseBoard()
    return { main, keeper: new LeaseBoard(main.memory) }
  }

  function seatOf(board: LeaseBoard, lease: HeldLease, deadlineNs = 1n): number {
    const seat = board.put(lease, deadlineNs)
    assert.ok(seat !== undefined)
    return seat
  }

  function fill(board: LeaseBoard): number[] {
    return Array.from({ length: 256 }, (_, n) => seatOf(board, leaseOf(`r${n}`)))
  }

  it('shows what came and went since the last look', () => {
    const { main, keeper } = both()
    const a = leaseOf('a', { label: 'naïve ☃', sentAtNs: 2n ** 60n })
    const seat = seatOf(main, a)
    seatOf(main, leaseOf('b'))
    const first = keeper.look()
    assert.deepEqual([first.gone, first.held], [[], 2])
    const come = first.come.map(({ lease }) => lease)
    assert.deepEqual(come.sort(byRun), [a, leaseOf('b')])
    main.remove(seat)
    assert.deepEqual(keeper.look(), { gone: ['a'], come: [], held: 1, stirred: true })
    assert.deepEqual(keeper.look(), { gone: [], come: [], held: 1, stirred: false })
  })

  it('does not show a lease that came and went between two looks', () => {
    const { main, keeper } = both()
    main.remove(seatOf(main, leaseOf('a')))
    assert.deepEqual(keeper.look(), { gone: [], come: [], held: 0, stirred: true })
  })

  it('[P9] gives no seat again before the keeper has done with the lease that left it', () => {
    const { main, keeper } = both()
    const seats = fill(main)
    const seat = seats[7] as number
    keeper.look()
    main.remove(seat)
    assert.equal(main.put(leaseOf('b'), 1n), undefined)
    assert.deepEqual(keeper.look(), { gone: ['r7'], come: [], held: 255, stirred: true })
    assert.equal(seatOf(main, leaseOf('b')), seat)
    const { gone, come, held } = keeper.look()
    assert.deepEqual([gone, come.map(({ lease }) => lease.runId), held], [[], ['b'], 256])
  })

  it('[P6] a deadline that comes late for one lease is not given to the next at its seat', () => {
    const { main, keeper } = both()
    const seats = fill(main)
    const seat = seats[0] as number
    const a = keeper.look().come.find(({ lease }) => lease.runId === 'r0')
    a?.extend(200n)
    assert.equal(main.deadlineNs(seat), 200n)
    main.remove(seat)
    keeper.look()
    assert.equal(seatOf(main, leaseOf('b'), 150n), seat)
    a?.extend(300n)
    assert.equal(main.deadlineNs(seat), 150n)
  })

  it('has no room for more than it has seats, nor for a lease that is too long', () => {
    const { main, keeper } = both()
    assert.equal(main.put(leaseOf('a', { label: '☃'.repeat(800) }), 1n), undefined)
    const seats = fill(main)
    assert.equal(new Set(seats).size, 256)
    assert.equal(main.put(leaseOf('late'), 1n), undefined)
    assert.equal(keeper.look().held, 256)
    main.remove(seats[7] as number)
    keeper.look()
    assert.equal(seatOf(main, leaseOf('late')), seats[7])
  })
})

function byRun(one: HeldLease, other: HeldLease): number {
  return one.runId < other.runId ? -1 : 1
}

function leaseOf(runId: string, more: Partial<HeldLease> = {}): HeldLease {
  const key = `t:${runId}` as LockKey
  return { runId, key, messageId: `m-${runId}`, token: 2 ** 51, limit: 1, label: 't', sentAtNs: 7n, ...more }
}
