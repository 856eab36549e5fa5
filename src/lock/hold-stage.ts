import type { HoldTerms } from './hold.js'
import { entrySet } from './mode.js'
import type { Hold } from './record.js'

/** A hold at its first stage. */
export function newHold(of: { messageId: string; round: number; terms: HoldTerms; now: number }): Hold {
  return {
    messageId: of.messageId,
    round: of.round,
    terms: of.terms,
    set: entrySet(of.terms.mode),
    stage: 'publishing',
    expiresAt: of.now,
    dueAt: of.now,
    acquiredAt: of.now,
    since: of.now,
    notBefore: of.terms.notBefore,
    deliveries: 0,
    retries: 0,
    token: null,
    owner: null,
    worker: null,
    barrier: null,
    slot: null,
    leaseMs: 0,
    lockDelayMs: 0,
    cancelledBy: null,
    cancelledHow: null,
    missedAt: null,
    message: null,
  }
}

/** Into `queued`, for a confirmation, a retry or a redelivery. */
export function enqueue(hold: Hold, now: number): void {
  hold.stage = 'queued'
  hold.since = now
  hold.owner = null
  hold.worker = null
  hold.barrier = null
  hold.slot = null
  hold.missedAt = null
  hold.message = null
  hold.expiresAt = queuedUntil(hold.terms, hold.notBefore, now)
  hold.dueAt = hold.expiresAt
}

/** After a run of mode `untilExpired`: keeps the key until its grant + timeout, for nobody. */
export function cool(hold: Hold, now: number): void {
  hold.stage = 'cooling'
  hold.since = now
  hold.owner = null
  hold.worker = null
  hold.barrier = null
  hold.slot = null
  hold.token = null
  hold.expiresAt = hold.dueAt = hold.acquiredAt + hold.terms.timeoutMs
}

/** The end of waiting: max(now, eta or retry time) + timeout, at most until the message is worthless. */
function queuedUntil(terms: HoldTerms, notBefore: number | null, now: number): number {
  const until = Math.max(now, notBefore ?? now) + terms.timeoutMs
  return terms.expiresAt === null ? until : Math.min(until, Math.max(now, terms.expiresAt))
}
