import type { Doubt, ResolveAnswer, ResolveRequest, SweepAnswer } from '../doubt.js'
import { cancelledEnding, type Ending, recordOutcome } from '../ending.js'
import type { Promotion } from '../hold.js'
import { enqueue } from '../hold-stage.js'
import { type Hold, holdOf, type LockRecord, MISSING_MS, remember, removeHold } from '../record.js'
import { outlive } from '../recovery.js'
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
  recoverUntil = 0,
): Omit<SweepAnswer, 'now'> {
  outlive(record, recoverUntil, now)
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
export function resolve(record: LockRecord, request: ResolveRequest, now: number, recoverUntil = 0): ResolveAnswer {
  outlive(record, recoverUntil, now)
  const { doubt, state } = request
  const hold = holdOf(record, doubt)
  if (hold?.stage !== doubt.stage) return { outcome: 'kept', now }
  if (hold.stage === 'queued') return missing(record, hold, request, now)
  if (hold.token !== doubt.token || !doubtOf(record, hold, now)) return { outcome: 'kept', now }
  const ending = endingOf(hold, request)
  if (!ending && !isGone(state)) {
    enqueue(hold, now)
    return { outcome: 'queued', now }
  }
  return free(record, hold, { request, ending, now })
}

/** Somebody purged the queue: a message that is missing twice, some time apart, and still queued, is given up for lost. */
function missing(record: LockRecord, hold: Hold, request: ResolveRequest, now: number): ResolveAnswer {
  const since = hold.missedAt
  hold.missedAt = isGone(request.state) ? (since ?? now) : null
  if (hold.missedAt === null || since === null || since + (request.missingMs ?? MISSING_MS) > now) {
    return { outcome: 'kept', now }
  }
  const { messageId, round, token } = hold
  const ending = { messageId, round, token, outcome: 'purged', code: 'PURGED' } as const
  return free(record, hold, { request, ending, now })
}

function isGone(state: ResolveRequest['state']): boolean {
  return state === 'absent' || state === 'finished'
}

function free(
  record: LockRecord,
  hold: Hold,
  of: { readonly request: ResolveRequest; readonly ending: Ending | undefined; readonly now: number },
): ResolveAnswer {
  const { request, ending, now } = of
  removeHold(record, hold)
  const ended = ending ? recordOutcome(record, ending, now, request.resultMs) : null
  if (!ending) remember(record, { at: now, event: 'unpublished', messageId: hold.messageId, by: null })
  settle(record, now, request.resultMs)
  const promotion = takePromotion(record, now, request.publishLeaseMs)
  return { outcome: 'freed', record: ended, promotion, now }
}

/** How the message ended, where it did: a run that was cut off and will not come back, or came back too often. */
function endingOf(hold: Hold, request: ResolveRequest): Ending | undefined {
  if (hold.stage !== 'running') return undefined
  const cancelled = cancelledEnding(hold)
  if (cancelled) return cancelled
  const ref = { messageId: hold.messageId, round: hold.round, token: hold.token }
  if (isGone(request.state)) {
    return { ...ref, outcome: 'lock_lost', code: 'LOCK_LOST' }
  }
  return hold.deliveries >= request.maxDeliveries ? { ...ref, outcome: 'failed', code: 'MAX_DELIVERIES' } : undefined
}
