import assert from 'node:assert/strict'
import type { SeatAnswer } from '../../src/lock/barrier.js'
import type { LockKey } from '../../src/lock/key.js'
import { type HeldLease, LeaseKeeper, type LeaseKeeperOptions, type Loss } from '../../src/lock/lease-keeper.js'
import type { RenewAnswer, RenewalAnswer, RenewBatch } from '../../src/lock/renewal.js'
import { monotonicNs, msToNs, trustDeadlineNs, trustMarginMs } from '../../src/lock/trust.js'
import { ranMs } from '../support/machine-time.js'
import { until } from '../support/until.js'

const LEASE_MS = 3000
const renewed: RenewalAnswer = { outcome: 'renewed', expiresAt: 0 }

function leaseOf(runId: string, sentAtNs = monotonicNs()): HeldLease {
  return { runId, key: `t:${runId}` as LockKey, messageId: `m-${runId}`, token: 7, limit: 1, label: 't', sentAtNs }
}

describe('LeaseKeeper', () => {
  const asked: { batch: RenewBatch; atNs: bigint }[] = []
  const losses: Loss[] = []
  const passed: string[] = []
  const troubles: Error[] = []
  const jumps: number[] = []
  let answer: (batch: RenewBatch) => Promise<RenewAnswer> | RenewAnswer
  let seats: readonly string[][]
  let seated: SeatAnswer
  let keeper: LeaseKeeper

  function start(clock?: NonNullable<LeaseKeeperOptions['clock']>): LeaseKeeper {
    keeper = new LeaseKeeper({
      store: {
        async renew(batch) {
          asked.push({ batch, atNs: monotonicNs() })
          return answer(batch)
        },
      },
      barrier: {
        async extend(asked) {
          seats = [...seats, asked.map(({ slot }) => `${slot}`)]
          return asked.map(() => seated)
        },
      },
      leaseMs: LEASE_MS,
      events: {
        deadline: () => {},
        lost: (loss) => losses.push(loss),
        passed: (runId) => passed.push(runId),
        trouble: (error) => troubles.push(error),
        jumped: (aheadMs) => jumps.push(aheadMs),
      },
      ...(clock && { clock }),
    })
    return keeper
  }

  const all =
    (each: RenewalAnswer) =>
    ({ leases }: RenewBatch): RenewAnswer => ({ now: 0, leases: leases.map(() => each) })

  beforeEach(() => {
    for (const list of [asked, losses, passed, troubles, jumps]) list.length = 0
    answer = all(renewed)
    seats = []
    seated = 'extended'
  })
  afterEach(() => keeper.close())

  it('trusts a lease until the time before sending + lease − margin', () => {
    assert.equal(trustMarginMs(15_000), 1000)
    assert.equal(trustMarginMs(LEASE_MS), LEASE_MS / 5)
    const lease = leaseOf('a')
    assert.equal(start().add(lease), lease.sentAtNs + msToNs(LEASE_MS - LEASE_MS / 5))
  })

  it('renews all leases in one request each third of the lease, counted from before it was sent', async () => {
    start()
    const first = keeper.add(leaseOf('a'))
    keeper.add(leaseOf('b'))
    await until(() => asked.length >= 4)
    assert.deepEqual(
      asked.map(({ batch }) => batch.leases.length),
      asked.map(() => 2),
    )
    const [fromNs = 0n, toNs = 0n] = [asked[0]?.atNs, asked[3]?.atNs]
    const spanMs = Number(toNs - fromNs) / 1e6
    assert.ok(spanMs > 2.5 * (LEASE_MS / 3) && ranMs(fromNs, toNs) < 4 * (LEASE_MS / 3), `4 rounds within ${spanMs} ms`)
    const last = keeper.deadlineNs('a') ?? 0n
    assert.ok(last > first)
    assert.ok(last <= trustDeadlineNs(asked.at(-1)?.atNs ?? 0n, LEASE_MS))
    assert.deepEqual(losses, [])
  })

  it('[P6] an answer that comes after the deadline passed extends nothing, even before the timer has told', async () => {
    const clock = handClock()
    answer = (batch) => {
      clock.aheadMs += 200
      return all(renewed)(batch)
    }
    start(clock)
    // Trusted for 100 ms more; the answer, 200 ms later, would be good for another 280.
    keeper.add(leaseOf('a', monotonicNs() - msToNs(LEASE_MS * 0.8 - 100)))
    keeper.renewNow()
    await until(() => losses.length > 0)
    assert.equal(losses[0]?.reason, 'deadline')
    assert.deepEqual(passed, ['a'])
    assert.equal(keeper.deadlineNs('a'), undefined)
    assert.equal(losses.length, 1)
    assert.deepEqual(jumps, [])
  })

  it('[P6] a lease whose store is silent is lost at its deadline, not before', async () => {
    answer = () => new Promise(() => {})
    const deadlineNs = start().add(leaseOf('a'))
    await until(() => losses.length > 0)
    const lostNs = monotonicNs()
    const lateMs = ranMs(deadlineNs, lostNs)
    assert.ok(lostNs >= deadlineNs && lateMs < 150, `${lateMs} ms`)
    assert.deepEqual(passed, ['a'])
  })

  describe('with seats that have leases of their own', () => {
    const seatOf = (runId: string, slot: number) => ({ ...leaseOf(runId), seat: slot })

    it('prolongs them along with their leases, and those of leases without a seat not', async () => {
      start()
      const first = keeper.add(seatOf('a', 3))
      keeper.add(leaseOf('b'))
      await until(() => (keeper.deadlineNs('a') ?? 0n) > first)
      assert.deepEqual(seats[0], ['3'])
      assert.equal(asked[0]?.batch.leases.length, 2)
    })

    it('[P6] trusts until the sooner of both ends: while either says nothing the deadline stands, and it asks soon', async () => {
      seated = 'unanswered'
      start()
      const first = keeper.add(seatOf('a', 0))
      keeper.renewNow()
      await until(() => asked.length >= 2)
      assert.equal(keeper.deadlineNs('a'), first)
      seated = 'extended'
      answer = () => {
        throw new Error('connection reset')
      }
      const [before, record] = [seats.length, asked.length]
      await until(() => seats.length > before + 1 && asked.length > record + 1)
      assert.equal(keeper.deadlineNs('a'), first)
      answer = all(renewed)
      await until(() => (keeper.deadlineNs('a') ?? 0n) > first)
      assert.deepEqual(losses, [])
    })

    it('[P7] a seat that is lost is the lease lost, though the record renewed it', async () => {
      seated = 'lost'
      start().add(seatOf('a', 0))
      keeper.renewNow()
      await until(() => losses.length > 0)
      assert.deepEqual(losses, [{ runId: 'a', messageId: 'm-a', token: 7, reason: 'barrier' }])
    })

    it('a run that was told to stop hears that, whatever became of its seat', async () => {
      seated = 'lost'
      answer = all({ outcome: 'lost', reason: 'cancelled' })
      start().add(seatOf('a', 0))
      keeper.renewNow()
      await until(() => losses.length > 0)
      assert.equal(losses[0]?.reason, 'cancelled')
    })

    it('a seat that was given back leaves the lease as it is: its end is still to be written', async () => {
      seated = 'dropped'
      start()
      const first = keeper.add(seatOf('a', 0))
      await until(() => (keeper.deadlineNs('a') ?? 0n) > first)
      assert.deepEqual(losses, [])
    })
  })

  it('asks again soon after a busy answer, and the deadline stands meanwhile', async () => {
    answer = (batch) => (asked.length < 3 ? all({ outcome: 'busy' })(batch) : all(renewed)(batch))
    start()
    const first = keeper.add(leaseOf('a'))
    await until(() => asked.length === 2)
    assert.equal(keeper.deadlineNs('a'), first)
    await until(() => (keeper.deadlineNs('a') ?? 0n) > first)
    const gapMs = ranMs(asked[0]?.atNs ?? 0n, asked[1]?.atNs)
    assert.ok(gapMs < LEASE_MS / 6, `asked again after ${gapMs} ms`)
    assert.deepEqual(losses, [])
  })

  it('a store that fails costs a lease nothing if it answers again before the deadline', async () => {
    answer = (batch) => {
      if (asked.length < 3) throw new Error('connection reset')
      return all(renewed)(batch)
    }
    start()
    const first = keeper.add(leaseOf('a'))
    await until(() => (keeper.deadlineNs('a') ?? 0n) > first)
    assert.equal(troubles.length, 2)
    assert.deepEqual(losses, [])
  })

  it('has at most one request under way, and gives a silent one up after a third of the lease', async () => {
    let open = 0
    let most = 0
    answer = async (batch) => {
      open += 1
      most = Math.max(most, open)
      await new Promise((resolve) => setTimeout(resolve, asked.length === 1 ? LEASE_MS : 20))
      open -= 1
      return all(renewed)(batch)
    }
    start().add(leaseOf('a'))
    keeper.renewNow()
    await until(() => asked.length === 1)
    for (let each = 0; each < 10; each += 1) keeper.renewNow()
    await until(() => troubles.length === 1)
    assert.equal(most, 1)
    assert.match(troubles[0]?.message ?? '', /no answer .* within 1000 ms/)
    await until(() => asked.length >= 2)
    assert.deepEqual(losses, [])
  })

  it('[P7] says at once why the store refused, renews no more, and tells when the deadline passes', async () => {
    answer = all({ outcome: 'lost', reason: 'taken' })
    const deadlineNs = start().add(leaseOf('a'))
    await until(() => losses.length > 0)
    assert.deepEqual(losses, [{ runId: 'a', messageId: 'm-a', token: 7, reason: 'taken' }])
    assert.ok(monotonicNs() < deadlineNs)
    assert.deepEqual(passed, [])
    await until(() => passed.length > 0)
    assert.ok(monotonicNs() >= deadlineNs)
    assert.equal(asked.length, 1)
    assert.equal(losses.length, 1)
  })

  it('tells nothing of a lease that was dropped', async () => {
    answer = all({ outcome: 'lost', reason: 'ended' })
    start().add(leaseOf('a'))
    const kept = keeper.add(leaseOf('b'))
    keeper.drop('a')
    await until(() => passed.includes('b'))
    assert.ok(monotonicNs() >= kept)
    assert.deepEqual(
      losses.map(({ runId }) => runId),
      ['b'],
    )
    assert.deepEqual(passed, ['b'])
  })

  it('notes acknowledged messages with the next batch, and the rest at its end', async () => {
    const ref = (id: string) => ({ key: 't:x' as LockKey, messageId: id, round: 0 })
    start().acked(ref('m1'))
    await until(() => asked.length > 0)
    assert.deepEqual(asked[0]?.batch.acked, [ref('m1')])
    keeper.acked(ref('m2'))
    await keeper.close()
    assert.deepEqual(asked.at(-1)?.batch.acked, [ref('m2')])
    assert.equal(asked.length, 2)
  })

  it('[P6] after the machine slept it renews at once and trusts no lease beyond the margin until then', async () => {
    const clock = handClock()
    answer = (batch) => {
      // Asked before the sleep and answered after it: says nothing about now.
      if (asked.length === 1) clock.wallAheadMs += 30_000
      return asked.length === 1 ? all(renewed)(batch) : new Promise(() => {})
    }
    start(clock)
    keeper.add(leaseOf('a', monotonicNs() + msToNs(60_000)))
    keeper.renewNow()
    await until(() => jumps.length > 0)
    assert.ok((keeper.deadlineNs('a') ?? 0n) <= monotonicNs() + msToNs(trustMarginMs(LEASE_MS)))
    await until(() => asked.length === 2)
    await until(() => losses.length > 0)
    assert.equal(losses[0]?.reason, 'deadline')
  })
})

/** The real clocks, moved by hand: both, or wall time alone. */
function handClock() {
  const clock = {
    aheadMs: 0,
    wallAheadMs: 0,
    monotonicNs: () => monotonicNs() + msToNs(clock.aheadMs),
    wallMs: () => Date.now() + clock.aheadMs + clock.wallAheadMs,
  }
  return clock
}
