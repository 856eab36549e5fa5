import { findOutcome } from '../ending.js'
import type { MessageRef } from '../hold.js'
import { newHold } from '../hold-stage.js'
import { runSet } from '../mode.js'
import { type Hold, holdOf, type LockRecord, parkedAt, remember, removeHold, rivalsOf } from '../record.js'
import type { Claim, Renewal, RenewalAnswer } from '../renewal.js'

const ENDED = { outcome: 'lost', reason: 'ended' } as const

/**
 * After a loss of data: a run whose hold is gone, and whose holder still trusts it, has it again. What took its place
 * meanwhile and does not run makes room, and so does a run under a lower token; one under a higher token stays, and the
 * claim is told that it was taken.
 */
export function reclaim(record: LockRecord, renewal: Renewal, claim: Claim, now: number): RenewalAnswer {
  const { key, messageId, token } = renewal
  const ref = { key, messageId, round: claim.round }
  const own = holdOf(record, ref)
  if (findOutcome(record, ref) || endedSince(record, ref, token)) return ENDED
  // Given back, or granted anew, after this run.
  if (own && own.token !== null && own.token >= token) return ENDED
  const set = runSet(claim.terms.mode)
  const rivals = set === 'free' ? [] : rivalsOf(record, set, own)
  const firm = rivals.filter((each) => isFirm(each, token))
  if (firm.length >= claim.terms.limit || firm.some((each) => each.slot === claim.slot)) {
    return { outcome: 'lost', reason: 'taken' }
  }
  makeRoom(record, { rivals, token, claim, now })
  return seat(record, own, { renewal, claim, now })
}

/** Whether this very hold ended while its message did not, and is known to have: that was no loss of data. */
function endedSince(record: LockRecord, { messageId }: MessageRef, token: number): boolean {
  return record.history.some((event) => event.messageId === messageId && event.at * 1000 >= token)
}

function isFirm(hold: Hold, token: number): boolean {
  return hold.stage === 'running' && (hold.token as number) > token
}

/** Who has the same slot goes in any case; then who does not run yet, the last to come first; then the lowest token. */
function makeRoom(
  record: LockRecord,
  of: { readonly rivals: readonly Hold[]; readonly token: number; readonly claim: Claim; readonly now: number },
): void {
  const { rivals, token, claim, now } = of
  const sitting = rivals.find((each) => each.stage === 'running' && each.slot === claim.slot)
  if (sitting) displace(record, sitting, now)
  const others = rivals.filter((each) => each !== sitting && !isFirm(each, token)).reverse()
  const waiting = others.filter((each) => each.stage !== 'running')
  const running = others.filter((each) => each.stage === 'running')
  running.sort((a, b) => (a.token as number) - (b.token as number))
  const crowd = rivals.length - (sitting ? 1 : 0)
  const leaving = [...waiting, ...running].slice(0, Math.max(0, crowd - claim.terms.limit + 1))
  for (const hold of leaving) displace(record, hold, now)
}

/** Its message, if it has one with the engine, passes the guard again; one that exists in the record only waits again. */
function displace(record: LockRecord, hold: Hold, now: number): void {
  const { messageId, round, terms, message, since } = hold
  removeHold(record, hold)
  if (hold.stage === 'promoting' && message !== null) {
    record.parked.unshift({ messageId, round, terms, message, since })
    return
  }
  if (hold.stage !== 'cooling') remember(record, { at: now, event: 'displaced', messageId, by: null })
}

function seat(
  record: LockRecord,
  own: Hold | undefined,
  of: { readonly renewal: Renewal; readonly claim: Claim; readonly now: number },
): RenewalAnswer {
  const { renewal, claim, now } = of
  const { messageId, token, leaseMs } = renewal
  const { round, terms } = claim
  const parked = parkedAt(record, { messageId, round })
  if (parked >= 0) record.parked.splice(parked, 1)
  // A token is at least the microseconds of its grant.
  const since = Math.min(now, Math.floor(token / 1000))
  const hold = own ?? newHold({ messageId, round, terms, now: since })
  if (!own) record.holders.push(hold)
  Object.assign(hold, {
    set: runSet(terms.mode),
    stage: 'running',
    since,
    token,
    owner: claim.owner,
    worker: claim.worker,
    barrier: claim.barrier,
    slot: claim.slot,
    leaseMs,
    lockDelayMs: claim.lockDelayMs,
    expiresAt: now + leaseMs,
    dueAt: now + leaseMs + claim.lockDelayMs,
    deliveries: claim.deliveries,
    retries: claim.retries,
    missedAt: null,
    message: null,
  } satisfies Partial<Hold>)
  record.lastToken = Math.max(record.lastToken, token)
  return { outcome: 'renewed', expiresAt: hold.expiresAt }
}
