import { lastOutcome, recordOutcome } from '../ending.js'
import type { OutcomeRecord } from '../outcome.js'
import { asHolder, cancel, type Hold, type LockRecord, removeHold } from '../record.js'
import type { RevokeAnswer, RevokeRequest } from '../revoke.js'
import { offeredPromotion, settle, takePromotion } from '../settle.js'

/**
 * Takes one call back, whatever its stage: parked or not running yet it ends here; running it is told to stop, if that
 * is asked for. What nothing is known of gets its outcome too, for the delivery that may come.
 */
export function revoke(record: LockRecord, request: RevokeRequest, now: number): RevokeAnswer {
  const { messageId } = request
  const hold = record.holders.find((each) => each.messageId === messageId && each.stage !== 'cooling')
  if (hold?.stage === 'running') return stop(record, hold, request, now)
  const parked = record.parked.findIndex((call) => call.messageId === messageId)
  const ended = hold || parked >= 0 ? undefined : lastOutcome(record, messageId)
  if (ended && !ended.reopened) return repeated(record, ended.record, now)
  const onItsWay = ended ? ended.record.round + 1 : request.round
  const round = hold?.round ?? record.parked[parked]?.round ?? onItsWay
  if (hold) removeHold(record, hold)
  else if (parked >= 0) record.parked.splice(parked, 1)
  const ending = { messageId, round, outcome: 'revoked', code: 'REVOKED' } as const
  const written = recordOutcome(record, ending, now, request.resultMs)
  settle(record, now, request.resultMs)
  const promotion = takePromotion(record, now, request.publishLeaseMs)
  return { outcome: 'revoked', key: record.key, record: written, promotion, again: false, now }
}

function stop(record: LockRecord, hold: Hold, request: RevokeRequest, now: number): RevokeAnswer {
  if (!request.terminate) return { outcome: 'running', holder: asHolder(hold), now }
  cancel(record, hold, 'revoked', request.by)
  return { outcome: 'cancelled', holder: asHolder(hold), now }
}

function repeated(record: LockRecord, ended: OutcomeRecord, now: number): RevokeAnswer {
  if (ended.outcome !== 'revoked') return { outcome: 'finished', record: ended, now }
  const promotion = offeredPromotion(record)
  return { outcome: 'revoked', key: record.key, record: ended, promotion, again: true, now }
}
