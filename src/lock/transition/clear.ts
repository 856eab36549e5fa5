import type { ClearAnswer, ClearRequest } from '../clear.js'
import { cancelledEnding, type Ending, recordOutcome } from '../ending.js'
import type { Holder } from '../hold.js'
import { asHolder, cancel, type Hold, type LockRecord, remember, removeHold } from '../record.js'
import { outlive } from '../recovery.js'
import { settle, takePromotion } from '../settle.js'

/** An operator frees a key. A cleared message that is with the engine stays there and passes the guard again. */
export function clear(record: LockRecord, request: ClearRequest, now: number, recoverUntil = 0): ClearAnswer {
  outlive(record, recoverUntil, now)
  // Not settled first: a parked call that settling promotes would be taken for a holder and ended with it.
  const discarded = request.parked ? discard(record, request, now) : []
  const freed: Holder[] = []
  const cancelled: Holder[] = []
  const kept: Holder[] = []
  for (const hold of [...record.holders]) {
    const lives = hold.stage === 'running' && hold.expiresAt + hold.lockDelayMs > now
    const fate = !lives || request.running === 'drop' ? freed : request.running === 'cancel' ? cancelled : kept
    fate.push(asHolder(hold))
    if (fate === cancelled) cancel(record, hold, 'cleared', request.by)
    if (fate === freed) drop(record, hold, request, now)
  }
  settle(record, now, request.resultMs)
  const promotion = takePromotion(record, now, request.publishLeaseMs)
  return { freed, cancelled, kept, discarded, sessions: [], promotion, now }
}

function drop(record: LockRecord, hold: Hold, request: ClearRequest, now: number): void {
  removeHold(record, hold)
  if (hold.stage === 'running') record.notices.add(`worker:${hold.worker}`)
  const ending = endingOf(hold)
  if (ending) recordOutcome(record, ending, now, request.resultMs)
  else remember(record, { at: now, event: 'cleared', messageId: hold.messageId, by: request.by })
}

/** A run that was told to stop must not come again; a parked call that had its turn exists only in the record. */
function endingOf(hold: Hold): Ending | undefined {
  if (hold.stage !== 'promoting') return cancelledEnding(hold)
  return { messageId: hold.messageId, round: hold.round, outcome: 'cleared', code: 'CLEARED' }
}

function discard(record: LockRecord, request: ClearRequest, now: number): string[] {
  const calls = record.parked.splice(0)
  for (const call of calls) {
    const ending = { messageId: call.messageId, round: call.round, outcome: 'revoked', code: 'REVOKED' } as const
    recordOutcome(record, ending, now, request.resultMs)
  }
  return calls.map((call) => call.messageId)
}
