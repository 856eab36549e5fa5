import type { MessageRef } from '../hold.js'
import { type Hold, type LockRecord, OUTCOME_ACKED_MS, outcomeKey } from '../record.js'
import { outlive } from '../recovery.js'
import type { Renewal, RenewalAnswer } from '../renewal.js'
import { reclaim } from './reclaim.js'

/**
 * Prolongs a running lease that has not run out. A late renewal is refused: trust never comes back. While the store
 * recovers from a loss of data, a lease that seems to have ended is looked at again by what its claim says: the hold that
 * is gone is made anew, and one that the data still tells of has outlived the loss.
 */
export function renew(record: LockRecord, renewal: Renewal, now: number, recoverUntil = 0): RenewalAnswer {
  const answer = prolong(record, renewal, now)
  const { claim } = renewal
  if (answer.outcome !== 'lost' || answer.reason !== 'ended' || !claim || recoverUntil <= now) return answer
  outlive(record, recoverUntil, now)
  const hold = runningHold(record, renewal)
  if (!hold || (hold.token ?? 0) < renewal.token) return reclaim(record, renewal, claim, now)
  return prolong(record, renewal, now)
}

function prolong(record: LockRecord, renewal: Renewal, now: number): RenewalAnswer {
  const hold = runningHold(record, renewal)
  if (!hold || hold.token === null || hold.token < renewal.token) return { outcome: 'lost', reason: 'ended' }
  if (hold.token > renewal.token) return { outcome: 'lost', reason: 'taken' }
  if (hold.cancelledHow !== null) return { outcome: 'lost', reason: 'cancelled' }
  if (hold.expiresAt <= now) return { outcome: 'lost', reason: 'ended' }
  hold.leaseMs = renewal.leaseMs
  hold.expiresAt = now + renewal.leaseMs
  hold.dueAt = hold.expiresAt + hold.lockDelayMs
  return { outcome: 'renewed', expiresAt: hold.expiresAt }
}

function runningHold(record: LockRecord, { messageId }: Renewal): Hold | undefined {
  return record.holders.find((each) => each.messageId === messageId && each.stage === 'running')
}

/** The engine will not deliver this message again: its outcome stays for repeats under way, its result for readers. */
export function acknowledge(record: LockRecord, ref: MessageRef, now: number): void {
  const kept = record.outcomes.get(outcomeKey(ref))
  if (kept) kept.keepUntil = Math.min(kept.keepUntil, Math.max(now + OUTCOME_ACKED_MS, kept.resultUntil))
}
