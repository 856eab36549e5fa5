import type { ClearAnswer } from '../../src/lock/clear.js'
import type { Doubt, ResolveAnswer } from '../../src/lock/doubt.js'
import type { CancelledHow, HoldEvent, Holder, Promotion } from '../../src/lock/hold.js'
import type { LockKey } from '../../src/lock/key.js'
import type { LockRow, MessageView } from '../../src/lock/lock-view.js'
import type { AcquireAnswer, ReleaseAnswer, RequeueAnswer, RunAnswer } from '../../src/lock/message-step.js'
import type { OutcomeRecord } from '../../src/lock/outcome.js'
import type { RenewalAnswer } from '../../src/lock/renewal.js'
import type { RevokeAnswer } from '../../src/lock/revoke.js'

/**
 * Replies of our own scripts, from arrays to the port's answers. Their shapes are those of the `…_reply` functions and
 * `return`s in scripts/: null where Lua said false, integers exact up to 2^53.
 */
type Fields = readonly unknown[]

export function fieldsOf(reply: unknown): Fields {
  if (!Array.isArray(reply)) throw new TypeError('a script answered something else than a list')
  return reply
}

export function numberOf(reply: unknown): number {
  return Number(reply)
}

function list<T>(reply: unknown, read: (each: unknown) => T): T[] {
  return fieldsOf(reply).map(read)
}

function nullable<T>(reply: unknown, read: (given: unknown) => T): T | null {
  return reply === null || reply === undefined ? null : read(reply)
}

/** The scripts answer only words of the port's unions. */
function word<T extends string>(reply: unknown): T {
  return String(reply) as T
}

function holderOf(reply: unknown): Holder {
  const [id, stage, worker, since, token] = fieldsOf(reply)
  return {
    id: String(id),
    stage: word(stage),
    worker: nullable(worker, String),
    since: numberOf(since),
    token: nullable(token, numberOf),
  }
}

export function outcomeOf(reply: unknown): OutcomeRecord {
  const [messageId, round, outcome, token, result, code, error, into, at] = fieldsOf(reply)
  return {
    messageId: String(messageId),
    round: numberOf(round),
    outcome: word(outcome),
    token: nullable(token, numberOf),
    result: nullable(result, String),
    code: nullable(code, String),
    error: nullable(error, String),
    into: nullable(into, String),
    at: numberOf(at),
  }
}

export function promotionOf(key: LockKey, reply: unknown): Promotion {
  const [messageId, round, message] = fieldsOf(reply)
  return { key, messageId: String(messageId), round: numberOf(round), message: String(message) }
}

function promotionIn(key: LockKey, reply: unknown): Promotion | null {
  return nullable(reply, (given) => promotionOf(key, given))
}

export function doubtOf(key: LockKey, reply: unknown): Doubt {
  const [messageId, round, stage, token, queue] = fieldsOf(reply)
  return {
    key,
    messageId: String(messageId),
    round: numberOf(round),
    stage: word(stage),
    token: nullable(token, numberOf),
    queue: String(queue),
  }
}

export function acquireAnswer(key: LockKey, reply: unknown): AcquireAnswer {
  const [outcome, at, first, second, third, fourth] = fieldsOf(reply)
  const now = numberOf(at)
  switch (word<AcquireAnswer['outcome']>(outcome)) {
    case 'granted':
      return { outcome: 'granted', ...replacedIn(first), now }
    case 'repeated':
      return { outcome: 'repeated', stage: word(first), now }
    case 'parked':
      return { outcome: 'parked', behind: holderOf(first), ...replacedIn(second), now }
    case 'coalesced':
      return { outcome: 'coalesced', into: String(first), behind: holderOf(second), now }
    case 'refused': {
      const doubt = nullable(third, (given) => doubtOf(key, given))
      const full = numberOf(fourth) === 1
      return { outcome: 'refused', holder: holderOf(first), remainingMs: numberOf(second), doubt, full, now }
    }
    case 'finished':
      return { outcome: 'finished', record: outcomeOf(first), now }
  }
}

/** Only there where somebody was. */
function replacedIn(reply: unknown): { readonly replaced?: readonly string[] } {
  const replaced = reply === undefined ? [] : list(reply, String)
  return replaced.length > 0 ? { replaced } : {}
}

export function runAnswer(key: LockKey, reply: unknown): RunAnswer {
  const [outcome, at, first, second, third, fourth, promotion] = fieldsOf(reply)
  const now = numberOf(at)
  switch (word<RunAnswer['outcome']>(outcome)) {
    case 'granted': {
      const [token, deliveries, retries, expiresAt] = [first, second, third, fourth].map(numberOf) as Four
      return { outcome: 'granted', token, deliveries, retries, expiresAt, promotion: promotionIn(key, promotion), now }
    }
    case 'slotTaken': {
      const taken = list(first, numberOf)
      return { outcome: 'slotTaken', taken, holder: holderOf(second), remainingMs: numberOf(third), now }
    }
    case 'early':
    case 'recovering':
      return { outcome: word<'early' | 'recovering'>(outcome), remainingMs: numberOf(first), now }
    case 'refused':
      return { outcome: 'refused', holder: holderOf(first), remainingMs: numberOf(second), now }
    case 'ended':
      return { outcome: 'ended', record: outcomeOf(first), promotion: promotionIn(key, second), now }
    case 'finished':
      return { outcome: 'finished', record: outcomeOf(first), now }
  }
}

type Four = [number, number, number, number]

export function requeueAnswer(key: LockKey, reply: unknown): RequeueAnswer {
  const [outcome, at, first, second] = fieldsOf(reply)
  const now = numberOf(at)
  switch (word<RequeueAnswer['outcome']>(outcome)) {
    case 'queued':
      return { outcome: 'queued', notBefore: numberOf(first), now }
    case 'ended':
      return { outcome: 'ended', record: outcomeOf(first), promotion: promotionIn(key, second), now }
    case 'finished':
      return { outcome: 'finished', record: outcomeOf(first), now }
    case 'stale':
      return { outcome: 'stale', now }
  }
}

export function releaseAnswer(key: LockKey, reply: unknown): ReleaseAnswer {
  const [outcome, at, first, second, again] = fieldsOf(reply)
  const now = numberOf(at)
  switch (word<ReleaseAnswer['outcome']>(outcome)) {
    case 'released':
      return {
        outcome: 'released',
        record: outcomeOf(first),
        promotion: promotionIn(key, second),
        again: again !== undefined,
        now,
      }
    case 'finished':
      return { outcome: 'finished', record: outcomeOf(first), now }
    case 'stale':
      return { outcome: 'stale', now }
  }
}

export function renewalAnswer(reply: unknown): RenewalAnswer {
  const [outcome, value] = fieldsOf(reply)
  if (outcome === 'renewed') return { outcome: 'renewed', expiresAt: numberOf(value) }
  return { outcome: 'lost', reason: word(value) }
}

export function resolveAnswer(key: LockKey, reply: unknown): ResolveAnswer {
  const [outcome, at, promotion, ended] = fieldsOf(reply)
  const now = numberOf(at)
  if (outcome === 'freed') {
    return { outcome: 'freed', record: nullable(ended, outcomeOf), promotion: promotionIn(key, promotion), now }
  }
  return { outcome: word<'queued' | 'kept'>(outcome), now }
}

export function clearAnswer(key: LockKey, reply: unknown): ClearAnswer {
  const [now, freed, cancelled, kept, discarded, promotion] = fieldsOf(reply)
  return {
    freed: list(freed, holderOf),
    cancelled: list(cancelled, holderOf),
    kept: list(kept, holderOf),
    discarded: list(discarded, String),
    sessions: [],
    promotion: promotionIn(key, promotion),
    now: numberOf(now),
  }
}

/** The script names the key where the asker did not. */
export function revokeAnswer(reply: unknown): RevokeAnswer {
  const [outcome, at, first, offered, key, again] = fieldsOf(reply)
  const now = numberOf(at)
  switch (word<RevokeAnswer['outcome']>(outcome)) {
    case 'revoked': {
      const found = String(key) as LockKey
      const promotion = promotionIn(found, offered)
      return { outcome: 'revoked', key: found, record: outcomeOf(first), promotion, again: again !== undefined, now }
    }
    case 'cancelled':
      return { outcome: 'cancelled', holder: holderOf(first), now }
    case 'running':
      return { outcome: 'running', holder: holderOf(first), now }
    case 'finished':
      return { outcome: 'finished', record: outcomeOf(first), now }
    case 'unknown':
      return { outcome: 'unknown', now }
  }
}

/** What of a row does not come from its holder. */
export type RowPlace = Pick<LockRow, 'app' | 'key' | 'parked' | 'now'>

export function rowsOf(place: RowPlace, reply: unknown): LockRow[] {
  return list(reply, (each) => rowOf(place, each))
}

function rowOf(place: RowPlace, reply: unknown): LockRow {
  const [task, label, stage, holder, token, worker, queue, barrier, acquiredAt, expiresAt, ...rest] = fieldsOf(reply)
  const [cancelledBy, cancelledHow, limit, round] = rest
  return {
    ...place,
    task: String(task),
    label: String(label),
    stage: word(stage),
    holder: String(holder),
    round: numberOf(round),
    token: nullable(token, numberOf),
    worker: nullable(worker, String),
    queue: String(queue),
    barrier: nullable(barrier, (given) => word<'none' | 'session' | 'quorum'>(given)),
    barrierHeld: false,
    acquiredAt: numberOf(acquiredAt),
    expiresAt: numberOf(expiresAt),
    cancelledBy: nullable(cancelledBy, String),
    cancelledHow: nullable(cancelledHow, (given) => word<CancelledHow>(given)),
    limit: numberOf(limit),
  }
}

export function eventOf(reply: unknown): HoldEvent {
  const [at, event, messageId, by] = fieldsOf(reply)
  return { at: numberOf(at), event: word(event), messageId: String(messageId), by: nullable(by, String) }
}

export function messageView(asked: LockKey | null, reply: unknown): MessageView {
  const [now, key, outcome, hold, parked] = fieldsOf(reply)
  return {
    key: nullable(key, (given) => String(given) as LockKey) ?? asked,
    outcome: nullable(outcome, outcomeOf),
    hold: nullable(hold, holdOf),
    parked: numberOf(parked) === 1,
    now: numberOf(now),
  }
}

function holdOf(reply: unknown): NonNullable<MessageView['hold']> {
  const [stage, retries, worker] = fieldsOf(reply)
  return { stage: word(stage), retries: numberOf(retries), worker: nullable(worker, String) }
}
