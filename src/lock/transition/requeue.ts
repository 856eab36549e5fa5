import { cancelledEnding, type Ending, findOutcome, recordOutcome } from '../ending.js'
import { enqueue } from '../hold-stage.js'
import type { RequeueAnswer, RequeueStep } from '../message-step.js'
import { type Hold, holdOf, type LockRecord, removeHold } from '../record.js'
import { settle, takePromotion } from '../settle.js'

/** A running hold falls back to its own message: a retry with its delay, or the redelivery of a dead run. */
export function requeue(record: LockRecord, step: RequeueStep, now: number): RequeueAnswer {
  const ended = findOutcome(record, step)
  if (ended) return ended.token === step.token ? { outcome: 'finished', record: ended, now } : { outcome: 'stale', now }
  const hold = holdOf(record, step)
  if (!hold || hold.token !== step.token) return { outcome: 'stale', now }
  if (hold.stage === 'queued') return { outcome: 'queued', notBefore: hold.notBefore ?? now, now }
  const ending = endingOf(hold, step)
  return ending ? end(record, hold, step, ending, now) : back(hold, step, now)
}

function endingOf(hold: Hold, step: RequeueStep): Ending | undefined {
  const cancelled = cancelledEnding(hold)
  if (cancelled) return cancelled
  const ref = { messageId: hold.messageId, round: hold.round, token: step.token }
  if (step.reason === 'redelivery' && hold.deliveries >= step.maxDeliveries) {
    return { ...ref, outcome: 'failed', code: 'MAX_DELIVERIES' }
  }
  return undefined
}

function end(record: LockRecord, hold: Hold, step: RequeueStep, ending: Ending, now: number): RequeueAnswer {
  removeHold(record, hold)
  const ended = recordOutcome(record, ending, now, step.resultMs)
  settle(record, now, step.resultMs)
  return { outcome: 'ended', record: ended, promotion: takePromotion(record, now, step.publishLeaseMs), now }
}

function back(hold: Hold, step: RequeueStep, now: number): RequeueAnswer {
  hold.notBefore = now + step.delayMs
  if (step.reason === 'retry') {
    hold.retries += 1
    hold.deliveries = 0
  }
  if (step.reason === 'unstarted') hold.deliveries = Math.max(0, hold.deliveries - 1)
  enqueue(hold, now)
  return { outcome: 'queued', notBefore: hold.notBefore, now }
}
