import type { Doubt, Promotion, ResolveAnswer, ResolveRequest, SweepAnswer } from '../lock-store.js'
import {
  cancelledEnding,
  type Ending,
  enqueue,
  type Hold,
  holdOf,
  type LockRecord,
  recordOutcome,
  remember,
  removeHold,
} from '../record.js'
import { settle, takePromotion } from '../settle.js'

/** How long a doubt that was handed out stays with whoever took it. */
const DOUBT_MS = 1_000

/** What of a hold only the engine can tell, once its time is over. */
export function doubtOf(record: LockRecord, hold: Hold, now: number): Doubt | null {
  const over =
    (hold.stage === 'publishing' && hold.expiresAt <= now) ||
    (hold.stage === 'running' && hold.expiresAt + hold.lockDelayMs <= now)
  if (!over) return null
  const { messageId, round, token } = hold
  const stage = hold.stage as Doubt['stage']
  return { key: record.key, messageId, round, stage, token, queue: hold.terms.queue }
}

/** One key's part of a sweep. */
export function sweep(
  record: LockRecord,
  now: number,
  times: { publishLeaseMs: number; resultMs: number },
): Omit<SweepAnswer, 'now'> {
  settle(record, now, times.resultMs)
  const promotions: Promotion[] = []
  for (;;) {
    const promotion = takePromotion(record, now, times.publishLeaseMs)
    if (!promotion) break
    promotions.push(promotion)
  }
  const doubts: Doubt[] = []
  for (const hold of record.holders) {
    const doubt = hold.dueAt <= now ? doubtOf(record, hold, now) : null
    if (!doubt) continue
    hold.dueAt = now + DOUBT_MS
    doubts.push(doubt)
  }
  return { promotions, doubts }
}

/** The engine's word on a doubt. Looks again first: the holder may have come back meanwhile. */
export function resolve(record: LockRecord, request: ResolveRequest, now: number): ResolveAnswer {
  const { doubt, state } = request
  const hold = holdOf(record, doubt)
  if (!hold || hold.stage !== doubt.stage || hold.token !== doubt.token || !doubtOf(record, hold, now)) {
    return { outcome: 'kept', now }
  }
  const ending = endingOf(hold, request)
  if (!ending && state !== 'absent' && state !== 'finished') {
    enqueue(hold, now)
    return { outcome: 'queued', now }
  }
  removeHold(record, hold)
  if (ending) recordOutcome(record, ending, now, request.resultMs)
  else remember(record, { at: now, event: 'unpublished', messageId: hold.messageId, by: null })
  settle(record, now, request.resultMs)
  return { outcome: 'freed', promotion: takePromotion(record, now, request.publishLeaseMs), now }
}

/** How the message ended, where it did: a run that was cut off and will not come back, or came back too often. */
function endingOf(hold: Hold, request: ResolveRequest): Ending | undefined {
  if (hold.stage !== 'running') return undefined
  const cancelled = cancelledEnding(hold)
  if (cancelled) return cancelled
  const ref = { messageId: hold.messageId, round: hold.round, token: hold.token }
  if (request.state === 'absent' || request.state === 'finished') {
    return { ...ref, outcome: 'lock_lost', code: 'LOCK_LOST' }
  }
  return hold.deliveries >= request.maxDeliveries ? { ...ref, outcome: 'failed', code: 'MAX_DELIVERIES' } : undefined
}
