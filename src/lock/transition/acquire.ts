import { findOutcome, recordOutcome } from '../ending.js'
import { newHold } from '../hold-stage.js'
import type { AcquireAnswer, AcquireRequest } from '../message-step.js'
import { entrySet } from '../mode.js'
import { asHolder, blockerOf, type Hold, holdOf, type LockRecord, parkedAt, remainingMs, rivalsOf } from '../record.js'
import { settle } from '../settle.js'
import { displace, endReplaced } from './displace.js'
import { doubtOf } from './resolve.js'

/** A caller is about to publish a message and asks for its key. */
export function acquire(record: LockRecord, request: AcquireRequest, now: number): AcquireAnswer {
  settle(record, now, request.resultMs)
  return (
    known(record, request, now) ?? (isHeld(record, request) ? held(record, request, now) : grant(record, request, now))
  )
}

/** The same message asking again gets what it got. */
function known(record: LockRecord, request: AcquireRequest, now: number): AcquireAnswer | undefined {
  const ended = findOutcome(record, request)
  const behind = holderNamed(record, request)
  if (ended?.outcome === 'coalesced' && ended.token === null && ended.into !== null && behind) {
    return { outcome: 'coalesced', into: ended.into, behind: asHolder(behind), now }
  }
  if (ended) return { outcome: 'finished', record: ended, now }
  const hold = holdOf(record, request)
  if (hold?.stage === 'publishing') {
    hold.expiresAt = hold.dueAt = now + request.publishLeaseMs
    return { outcome: 'granted', now }
  }
  if (hold) return { outcome: 'repeated', stage: hold.stage, now }
  return parkedAt(record, request) >= 0 && behind ? { outcome: 'parked', behind: asHolder(behind), now } : undefined
}

/** As many holders as the asker allows, or a parked call that must not be overtaken. */
function isHeld(record: LockRecord, { terms }: AcquireRequest): boolean {
  return record.parked.length > 0 || blockerOf(record, { set: entrySet(terms.mode), limit: terms.limit }) !== undefined
}

/** The holder an answer names: the first that is in the way; where only parked calls are, the first they wait for. */
function holderNamed(record: LockRecord, { terms }: AcquireRequest): Hold | undefined {
  return rivalsOf(record, entrySet(terms.mode))[0] ?? rivalsOf(record, 'all')[0]
}

function held(record: LockRecord, request: AcquireRequest, now: number): AcquireAnswer {
  const { whenHeld } = request
  if (whenHeld.do === 'replace') return replace(record, request, whenHeld.minRunMs, now)
  if (whenHeld.do !== 'park') return refuse(record, request, false, now)
  if (record.parked.length < whenHeld.capacity) return park(record, request, now)
  if (whenHeld.keep === 'all') return refuse(record, request, true, now)
  return coalesce(record, request, whenHeld.keep, now)
}

function refuse(record: LockRecord, request: AcquireRequest, full: boolean, now: number): AcquireAnswer {
  const hold = holderNamed(record, request) as Hold
  const rivals = rivalsOf(record, entrySet(request.terms.mode))
  const doubt = rivals.map((each) => doubtOf(record, each, now)).find((each) => each !== null) ?? null
  return { outcome: 'refused', holder: asHolder(hold), remainingMs: remainingMs(hold, now), doubt, full, now }
}

function park(record: LockRecord, request: AcquireRequest, now: number): AcquireAnswer {
  const behind = asHolder(holderNamed(record, request) as Hold)
  const { messageId, round, terms, message } = request
  record.parked.push({ messageId, round, terms, message, since: now })
  return { outcome: 'parked', behind, now }
}

/** The last parked call covers this one; with `latest` it keeps its id and place and takes the newer call's text. */
function coalesce(record: LockRecord, request: AcquireRequest, keep: 'first' | 'latest', now: number): AcquireAnswer {
  const behind = asHolder(holderNamed(record, request) as Hold)
  const last = record.parked.length - 1
  const slot = record.parked[last] as LockRecord['parked'][number]
  const { terms, message } = request
  if (keep === 'latest') record.parked[last] = { ...slot, terms, message }
  recordOutcome(record, { ...refOf(request), outcome: 'coalesced', into: slot.messageId }, now, request.resultMs)
  return { outcome: 'coalesced', into: slot.messageId, behind, now }
}

/** At most one waits: the last parked call gives its place to the newcomer, who has the key if that is free now. */
function replace(record: LockRecord, request: AcquireRequest, minRunMs: number, now: number): AcquireAnswer {
  const rivals = rivalsOf(record, entrySet(request.terms.mode))
  const behind = asHolder(holderNamed(record, request) as Hold)
  const by = { ...refOf(request), key: request.key, minRunMs, resultMs: request.resultMs }
  const ended = rivals.length >= request.terms.limit ? displace(record, rivals, by, now) : undefined
  const waiting = record.parked.pop()
  if (waiting) endReplaced(record, waiting, by, now)
  const replaced = [ended, waiting?.messageId].filter((id) => id !== undefined)
  const told = replaced.length > 0 ? { replaced } : {}
  if (!isHeld(record, request)) return { ...grant(record, request, now), ...told }
  const { messageId, round, terms, message } = request
  record.parked.push({ messageId, round, terms, message, since: now })
  settle(record, now, request.resultMs)
  return { outcome: 'parked', behind, ...told, now }
}

function grant(record: LockRecord, request: AcquireRequest, now: number): AcquireAnswer & { outcome: 'granted' } {
  const hold = newHold({ ...refOf(request), terms: request.terms, now })
  hold.expiresAt = hold.dueAt = now + request.publishLeaseMs
  record.holders.push(hold)
  return { outcome: 'granted', now }
}

function refOf(request: AcquireRequest): { messageId: string; round: number } {
  return { messageId: request.messageId, round: request.round }
}
