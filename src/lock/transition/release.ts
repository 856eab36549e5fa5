import { cancelledEnding, findOutcome, recordOutcome } from '../ending.js'
import { cool } from '../hold-stage.js'
import type { ReleaseAnswer, ReleaseRequest } from '../message-step.js'
import type { OutcomeRecord } from '../outcome.js'
import { type Hold, holdOf, type LockRecord, parkedAt, removeHold } from '../record.js'
import { offeredPromotion, settle, takePromotion } from '../settle.js'

/** Ends a message: by its token once it ran, by its id before. Writes the outcome and pops the next in the same step. */
export function release(record: LockRecord, request: ReleaseRequest, now: number, recoverUntil = 0): ReleaseAnswer {
  const ended = findOutcome(record, request)
  if (ended) return repeated(record, request, ended, now)
  const hold = holdOf(record, request)
  if (recoverUntil > now && isLost(record, request, hold)) {
    if (hold) removeHold(record, hold)
    return writeDown(record, undefined, request, now)
  }
  const runs = hold?.stage === 'running'
  if (request.token !== null ? !runs || hold?.token !== request.token : runs) return { outcome: 'stale', now }
  return writeDown(record, hold, request, now)
}

/**
 * Its hold went with the data, or is what it was before this run, or a redelivery's: the run that ended says so itself, as
 * long as no later one is known of. One that was given back after this run has its token.
 */
function isLost(record: LockRecord, { messageId, token }: ReleaseRequest, hold: Hold | undefined): boolean {
  if (token === null || (hold && (hold.token ?? 0) >= token)) return false
  const later = record.holders.filter((each) => each.stage === 'running' && (each.token ?? 0) > token)
  const full = later.length > 0 && later.length >= Math.max(...later.map((each) => each.terms.limit))
  return !full && !record.history.some((event) => event.messageId === messageId && event.at * 1000 >= token)
}

function writeDown(
  record: LockRecord,
  hold: Hold | undefined,
  request: ReleaseRequest,
  now: number,
): Extract<ReleaseAnswer, { outcome: 'released' }> {
  const cancelled = hold && cancelledEnding(hold)
  const written = recordOutcome(record, cancelled ?? request, now, request.resultMs)
  if (hold) letGo(record, hold, now)
  else withdraw(record, request)
  settle(record, now, request.resultMs)
  const promotion = takePromotion(record, now, request.publishLeaseMs)
  return { outcome: 'released', record: written, promotion, again: false, now }
}

/** A run of mode `untilExpired` that came to its own end leaves the key cooling. */
function letGo(record: LockRecord, hold: Hold, now: number): void {
  const cools = hold.terms.mode === 'untilExpired' && hold.stage === 'running' && hold.cancelledHow === null
  if (cools) cool(hold, now)
  else removeHold(record, hold)
}

/** A parked call is ended by id as well. */
function withdraw(record: LockRecord, request: ReleaseRequest): void {
  const at = parkedAt(record, request)
  if (at >= 0) record.parked.splice(at, 1)
}

/** The reply of the first time was lost: the same run hears the same answer, and the promotion is offered again. */
function repeated(record: LockRecord, request: ReleaseRequest, ended: OutcomeRecord, now: number): ReleaseAnswer {
  if (ended.token !== request.token) return { outcome: 'finished', record: ended, now }
  return { outcome: 'released', record: ended, promotion: offeredPromotion(record), again: true, now }
}
