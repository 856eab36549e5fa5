import type { MessageRef } from '../hold.js'
import { type LockRecord, OUTCOME_ACKED_MS, outcomeKey } from '../record.js'
import { outlive } from '../recovery.js'
import type { Renewal, RenewalAnswer } from '../renewal.js'
import { reclaim } from './reclaim.js'

/**
 * Prolongs a running lease that has not run out. A late renewal is refused: trust never comes back. While the store
 * recovers from a loss of data, the lease of a hold that is gone makes it anew.
 */
export function renew(record: LockRecord, renewal: Renewal, now: number, recoverUntil = 0): RenewalAnswer {
  outlive(record, recoverUntil, now)
  const hold = record.holders.find((each) => each.messageId === renewal.messageId && each.stage === 'running')
  if (!hold || hold.token === null || hold.token < renewal.token) {
    const claimed = recoverUntil > now && renewal.claim
    return claimed ? reclaim(record, renewal, claimed, now) : { outcome: 'lost', reason: 'ended' }
  }
  if (hold.token > renewal.token) return { outcome: 'lost', reason: 'taken' }
  if (hold.cancelledHow !== null) return { outcome: 'lost', reason: 'cancelled' }
  if (hold.expiresAt <= now) return { outcome: 'lost', reason: 'ended' }
  hold.leaseMs = renewal.leaseMs
  hold.expiresAt = now + renewal.leaseMs
  hold.dueAt = hold.expiresAt + hold.lockDelayMs
  return { outcome: 'renewed', expiresAt: hold.expiresAt }
}

/** The engine will not deliver this message again: its outcome stays for repeats under way, its result for readers. */
export function acknowledge(record: LockRecord, ref: MessageRef, now: number): void {
  const kept = record.outcomes.get(outcomeKey(ref))
  if (kept) kept.keepUntil = Math.min(kept.keepUntil, Math.max(now + OUTCOME_ACKED_MS, kept.resultUntil))
}
