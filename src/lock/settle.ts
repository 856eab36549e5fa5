import { recordOutcome } from './ending.js'
import type { HoldTerms, Promotion } from './hold.js'
import { newHold } from './hold-stage.js'
import { entrySet } from './mode.js'
import type { Topic } from './notice.js'
import { blockerOf, type Hold, type LockRecord, type ParkedCall, remember, removeHold } from './record.js'

/**
 * Ends what waited or cooled long enough, then gives free places to parked calls in order. A call that had its turn and is not
 * published yet ends as `expired` once worthless. A hold of a publisher that fell silent and a running hold past its
 * lease stay: only the engine knows their message, so a sweeper asks it (`resolve`).
 */
export function settle(record: LockRecord, now: number, resultMs: number): void {
  for (const hold of [...record.holders]) {
    if ((hold.stage === 'queued' || hold.stage === 'cooling') && hold.expiresAt <= now) lapse(record, hold, now)
    if (hold.stage === 'promoting' && isWorthless(hold.terms, now)) {
      removeHold(record, hold)
      recordExpired(record, hold, now, resultMs)
    }
  }
  promote(record, now, resultMs)
}

function lapse(record: LockRecord, hold: Hold, now: number): void {
  removeHold(record, hold)
  if (hold.stage === 'queued') remember(record, { at: now, event: 'lapsed', messageId: hold.messageId, by: null })
}

/** Pops parked calls into free places. They are due at once: whoever carries the answer moves that on by a lease. */
function promote(record: LockRecord, now: number, resultMs: number): void {
  for (;;) {
    const next = record.parked[0]
    if (!next || blockerOf(record, { set: entrySet(next.terms.mode), limit: next.terms.limit })) return
    record.parked.shift()
    if (isWorthless(next.terms, now)) recordExpired(record, next, now, resultMs)
    else giveTurn(record, next, now)
  }
}

function giveTurn(record: LockRecord, call: ParkedCall, now: number): void {
  record.holders.push(promotingHold(call, now))
  record.notices.add(`message:${call.messageId}`).add('due')
}

function isWorthless(terms: HoldTerms, now: number): boolean {
  return terms.expiresAt !== null && terms.expiresAt <= now
}

function recordExpired(record: LockRecord, call: Hold | ParkedCall, now: number, resultMs: number): void {
  const { messageId, round } = call
  recordOutcome(record, { messageId, round, outcome: 'expired', code: 'EXPIRED' }, now, resultMs)
}

function promotingHold(call: ParkedCall, now: number): Hold {
  return {
    ...newHold({ messageId: call.messageId, round: call.round, terms: call.terms, now }),
    stage: 'promoting',
    expiresAt: now,
    dueAt: now,
    message: call.message,
  }
}

/** Hands out one parked call whose turn has come, and moves its next look on so that no two hands publish it at once. */
export function takePromotion(record: LockRecord, now: number, publishLeaseMs: number): Promotion | null {
  const hold = record.holders.find((each) => each.stage === 'promoting' && each.dueAt <= now)
  if (!hold || hold.message === null) return null
  hold.dueAt = now + Math.max(1, publishLeaseMs)
  return { key: record.key, messageId: hold.messageId, round: hold.round, message: hold.message }
}

/** The promotion of a lost reply, once more: to whoever asks again, though it was handed out. */
export function offeredPromotion(record: LockRecord): Promotion | null {
  const waiting = record.holders.find((hold) => hold.stage === 'promoting' && hold.message !== null)
  if (!waiting) return null
  const { messageId, round, message } = waiting
  return { key: record.key, messageId, round, message: message as string }
}

/** What the step that has just ended gives reason to tell; `due` only where its answer does not carry the promotion. */
export function takeNotices(record: LockRecord, now: number): Topic[] {
  const left = record.holders.some((hold) => hold.stage === 'promoting' && hold.dueAt <= now)
  if (!left) record.notices.delete('due')
  const notices = [...record.notices]
  record.notices.clear()
  return notices
}
