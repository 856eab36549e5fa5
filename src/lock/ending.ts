import type { MessageRef } from './hold.js'
import type { FinalOutcome, OutcomeRecord } from './outcome.js'
import {
  type Hold,
  type KeptOutcome,
  type LockRecord,
  OUTCOME_ACKED_MS,
  OUTCOME_UNACKED_MS,
  outcomeKey,
} from './record.js'

export function findOutcome(
  record: LockRecord,
  ref: Pick<MessageRef, 'messageId' | 'round'>,
): OutcomeRecord | undefined {
  return record.outcomes.get(outcomeKey(ref))?.record
}

/** Of several rounds of a message, how the latest ended. */
export function lastOutcome(record: LockRecord, messageId: string): KeptOutcome | undefined {
  const ended = [...record.outcomes.values()].filter((kept) => kept.record.messageId === messageId)
  return ended.sort((a, b) => b.record.round - a.record.round)[0]
}

export interface Ending {
  readonly messageId: string
  readonly round: number
  readonly outcome: FinalOutcome
  readonly token?: number | null
  readonly result?: string | null
  readonly code?: string | null
  readonly error?: string | null
  readonly into?: string | null
}

/** Writes how a message ended. The first writer wins; the record in force is answered. */
export function recordOutcome(record: LockRecord, ending: Ending, now: number, resultMs: number): OutcomeRecord {
  const known = findOutcome(record, ending)
  if (known) return known
  const { messageId, round, outcome } = ending
  const written: OutcomeRecord = {
    messageId,
    round,
    outcome,
    token: ending.token ?? null,
    result: ending.result ?? null,
    code: ending.code ?? null,
    error: ending.error ?? null,
    into: ending.into ?? null,
    at: now,
  }
  // A call that never reached the engine has no redelivery to guard against.
  const unacked = outcome === 'coalesced' && ending.token === undefined ? OUTCOME_ACKED_MS : OUTCOME_UNACKED_MS
  const kept = { keepUntil: now + unacked, resultUntil: now + resultMs, reopened: false }
  record.outcomes.set(outcomeKey(ending), { record: written, ...kept })
  record.notices.add(`message:${messageId}`)
  return written
}

/** How a message ends whose run was told to stop, whatever that run came to. */
export function cancelledEnding(hold: Hold): Ending | undefined {
  const { messageId, round, token, cancelledHow: outcome } = hold
  if (outcome === null) return undefined
  const into = outcome === 'replaced' ? hold.cancelledBy : null
  return { messageId, round, token, outcome, code: outcome.toUpperCase(), into }
}
