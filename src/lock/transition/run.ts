import { findOutcome, recordOutcome } from '../ending.js'
import type { Promotion } from '../hold.js'
import { enqueue, newHold } from '../hold-stage.js'
import type { RunAnswer, RunStep } from '../message-step.js'
import { entrySet, runSet } from '../mode.js'
import {
  asHolder,
  blockerOf,
  type Hold,
  holdOf,
  type LockRecord,
  nextToken,
  parkedAt,
  remainingMs,
  removeHold,
  rivalsOf,
} from '../record.js'
import { outlive } from '../recovery.js'
import { settle, takePromotion } from '../settle.js'
import { displace } from './displace.js'

/**
 * A delivered message asks to run. Only this step mints a token, and it mints none until `recoverUntil`: then the store
 * recovers from a loss of data.
 */
export function run(record: LockRecord, step: RunStep, now: number, recoverUntil = 0): RunAnswer {
  outlive(record, recoverUntil, now)
  // Its own place comes before settling: a queued hold that just ran out is not lost to a delivery that is here now.
  const known = ownPlace(record, step, now, recoverUntil)
  if (known) return known
  settle(record, now, step.resultMs)
  // Settling may have given a parked call of this very message its turn, or ended it.
  const settled = ownPlace(record, step, now, recoverUntil)
  if (settled) return settled
  if (step.whenHeld === 'replace') displace(record, inTheWay(record, step), step, now)
  const rivals = inTheWay(record, step)
  return rivals.length > 0 ? withoutHold(record, rivals, step, now) : startAnew(record, step, now, recoverUntil)
}

/** Without a place of its own a message needs one as at publish, and one among the running. None: it may start. */
function inTheWay(record: LockRecord, { terms }: RunStep): readonly Hold[] {
  const sets = [entrySet(terms.mode), runSet(terms.mode)]
  return sets.map((set) => rivalsOf(record, set)).find((rivals) => rivals.length >= terms.limit) ?? []
}

/** The seat is looked at before the place is taken: a message that is refused here leaves no trace. */
function startAnew(record: LockRecord, step: RunStep, now: number, recoverUntil: number): RunAnswer {
  const hold = newHold({ messageId: step.messageId, round: step.round, terms: step.terms, now })
  const refused = withoutSeat(record, hold, step, now)
  if (refused) return refused
  if (recoverUntil > now && step.terms.mode === 'whileExecuting') return recovering(recoverUntil, now)
  const parked = parkedAt(record, step)
  if (parked >= 0) record.parked.splice(parked, 1)
  record.holders.push(hold)
  // The message is the proof that it had a place.
  if (recoverUntil > now) enqueue(hold, now)
  return start(record, hold, step, now, recoverUntil)
}

function recovering(recoverUntil: number, now: number): RunAnswer {
  return { outcome: 'recovering', remainingMs: recoverUntil - now, now }
}

function ownPlace(record: LockRecord, step: RunStep, now: number, recoverUntil: number): RunAnswer | undefined {
  const ended = findOutcome(record, step)
  if (ended) return { outcome: 'finished', record: ended, now }
  const own = holdOf(record, step)
  if (!own) return undefined
  return own.stage === 'running'
    ? again(record, own, step, now, recoverUntil)
    : start(record, own, step, now, recoverUntil)
}

/** The message already runs: the same attempt asks again while its lease lives, or a redelivery came. */
function again(record: LockRecord, own: Hold, step: RunStep, now: number, recoverUntil: number): RunAnswer {
  if (own.owner === step.owner && own.expiresAt > now) return granted(own, null, now)
  if (own.expiresAt + own.lockDelayMs > now || own.cancelledHow !== null) {
    return { outcome: 'refused', holder: asHolder(own), remainingMs: remainingMs(own, now), now }
  }
  return start(record, own, step, now, recoverUntil)
}

function start(record: LockRecord, hold: Hold, step: RunStep, now: number, recoverUntil: number): RunAnswer {
  if (hold.notBefore !== null && hold.notBefore > now) {
    return { outcome: 'early', remainingMs: hold.notBefore - now, now }
  }
  if (hold.deliveries >= step.maxDeliveries) return giveUp(record, hold, step, now)
  const refused = withoutSeat(record, hold, step, now)
  if (refused) return refused
  if (recoverUntil > now) return recovering(recoverUntil, now)
  const set = runSet(hold.terms.mode)
  const moved = hold.set !== set
  hold.set = set
  hold.stage = 'running'
  hold.since = now
  hold.token = nextToken(record, now)
  hold.owner = step.owner
  hold.worker = step.worker
  hold.barrier = step.barrier
  hold.slot = step.slot
  hold.leaseMs = step.leaseMs
  hold.lockDelayMs = step.lockDelayMs
  hold.expiresAt = now + step.leaseMs
  hold.dueAt = hold.expiresAt + step.lockDelayMs
  hold.deliveries += 1
  hold.message = null
  if (!moved) return granted(hold, null, now)
  settle(record, now, step.resultMs)
  return granted(hold, takePromotion(record, now, step.publishLeaseMs), now)
}

/** A place among the waiting gives none among the running, and a place gives no particular slot. */
function withoutSeat(record: LockRecord, hold: Hold, step: RunStep, now: number): RunAnswer | undefined {
  const { mode, limit } = hold.terms
  const set = runSet(mode)
  if (set === 'free') return undefined
  const full = hold.set === set ? undefined : blockerOf(record, { set, limit, but: hold })
  if (full) return { outcome: 'refused', holder: asHolder(full), remainingMs: remainingMs(full, now), now }
  const seated = record.holders.filter((each) => each !== hold && each.stage === 'running' && each.set !== 'free')
  const other = seated.find((each) => each.slot === step.slot)
  if (!other) return undefined
  const taken = seated.map((each) => each.slot as number)
  return { outcome: 'slotTaken', taken, holder: asHolder(other), remainingMs: remainingMs(other, now), now }
}

function giveUp(record: LockRecord, hold: Hold, step: RunStep, now: number): RunAnswer {
  removeHold(record, hold)
  const ending = { messageId: step.messageId, round: step.round, outcome: 'failed', code: 'MAX_DELIVERIES' } as const
  const ended = recordOutcome(record, { ...ending, token: hold.token }, now, step.resultMs)
  settle(record, now, step.resultMs)
  return { outcome: 'ended', record: ended, promotion: takePromotion(record, now, step.publishLeaseMs), now }
}

/** The key is held and the message has no hold of its own. */
function withoutHold(record: LockRecord, rivals: readonly Hold[], step: RunStep, now: number): RunAnswer {
  const first = rivals[0] as Hold
  const end = endingBehind(record, rivals, step)
  if (!end) return { outcome: 'refused', holder: asHolder(first), remainingMs: remainingMs(first, now), now }
  const { messageId, round } = step
  const ended = recordOutcome(record, { messageId, round, ...end, token: null }, now, step.resultMs)
  return { outcome: 'ended', record: ended, promotion: null, now }
}

/** How the message ends behind its rivals; undefined: it waits. */
function endingBehind(
  record: LockRecord,
  rivals: readonly Hold[],
  step: RunStep,
): { outcome: 'skipped' | 'coalesced'; into: string } | undefined {
  // Asked for again by its id after it lost its hold, it is parked: it waits for its turn there, under one name.
  if (parkedAt(record, step) >= 0) return undefined
  if (step.whenHeld === 'skip') return { outcome: 'skipped', into: (rivals[0] as Hold).messageId }
  if (step.whenHeld !== 'coalesce') return undefined
  const covering = rivals.find((hold) => covers(hold, step))
  return covering && { outcome: 'coalesced', into: covering.messageId }
}

/** A publisher may still fail: what it is about to publish covers nobody. Nor does a run that has ended, or must. */
function covers(hold: Hold, { publishedAt }: RunStep): boolean {
  if (hold.stage === 'publishing' || hold.stage === 'cooling' || hold.cancelledHow !== null) return false
  return hold.stage !== 'running' || hold.since > publishedAt
}

function granted(hold: Hold, promotion: Promotion | null, now: number): RunAnswer {
  const { deliveries, retries, expiresAt } = hold
  return { outcome: 'granted', token: hold.token as number, deliveries, retries, expiresAt, promotion, now }
}
