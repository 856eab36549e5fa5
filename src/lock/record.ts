import type { CancelledHow, HoldEvent, Holder, HoldTerms, MessageRef, Stage } from './hold.js'
import type { LockKey } from './key.js'
import { areRivals, type HolderSet } from './mode.js'
import type { Topic } from './notice.js'
import type { OutcomeRecord } from './outcome.js'

/** One hold as the record keeps it. Instants are epoch ms by the store's clock. */
export interface Hold {
  readonly messageId: string
  readonly round: number
  terms: HoldTerms
  set: HolderSet
  stage: Stage
  /** End of this stage: the publish lease, the bound on waiting, or the running lease. */
  expiresAt: number
  /** When a sweeper has to look again. */
  dueAt: number
  readonly acquiredAt: number
  since: number
  notBefore: number | null
  deliveries: number
  retries: number
  /** The token of the present run, or of the last one while queued; null before the first. */
  token: number | null
  owner: string | null
  worker: string | null
  barrier: 'none' | 'session' | 'quorum' | null
  slot: number | null
  leaseMs: number
  lockDelayMs: number
  cancelledBy: string | null
  cancelledHow: CancelledHow | null
  /** Since when the engine is known not to have the message of this queued hold, or null. */
  missedAt: number | null
  /** The whole message text, kept while promoting. */
  message: string | null
}

export interface ParkedCall {
  readonly messageId: string
  readonly round: number
  readonly terms: HoldTerms
  readonly message: string
  readonly since: number
}

export interface KeptOutcome {
  readonly record: OutcomeRecord
  keepUntil: number
  readonly resultUntil: number
  /** A further round of the message is on its way: this is not how it ended. */
  reopened: boolean
}

/** All that is kept about one key. `v` is the record's format. */
export interface LockRecord {
  readonly v: 1
  readonly key: LockKey
  readonly holders: Hold[]
  readonly parked: ParkedCall[]
  /** By `<message id>/<round>`; with the instant at which it may be forgotten. */
  readonly outcomes: Map<string, KeptOutcome>
  /** Holds that ended without an outcome, the oldest first. */
  readonly history: HoldEvent[]
  lastToken: number
  /** What the present step gives reason to tell; kept by nobody. */
  readonly notices: Set<Topic>
}

/** Kept until the engine's acknowledgement is noted, so that a redelivery finds its message finished. */
export const OUTCOME_UNACKED_MS = 7 * 86_400_000
/** Kept after it, for repeats under way. */
export const OUTCOME_ACKED_MS = 600_000
/** What happened to holds is told for as long as outcomes that nobody acknowledged. */
export const HISTORY_MS = OUTCOME_UNACKED_MS
const HISTORY_KEPT = 20
/** How long a queued message must be missing with the engine to count as purged. */
export const MISSING_MS = 2_000

export function emptyRecord(key: LockKey): LockRecord {
  return { v: 1, key, holders: [], parked: [], outcomes: new Map(), history: [], lastToken: 0, notices: new Set() }
}

export function holdOf(record: LockRecord, ref: Pick<MessageRef, 'messageId' | 'round'>): Hold | undefined {
  // A cooling hold has no message any more: that one has ended.
  return record.holders.find(
    (hold) => hold.messageId === ref.messageId && hold.round === ref.round && hold.stage !== 'cooling',
  )
}

/** The holds that count against one in `set`, the first granted first. */
export function rivalsOf(record: LockRecord, set: HolderSet, but?: Hold): Hold[] {
  return record.holders.filter((hold) => hold !== but && areRivals(hold.set, set))
}

/** The first of the holds in the way, if there are as many as the asker allows. */
export function blockerOf(record: LockRecord, of: { set: HolderSet; limit: number; but?: Hold }): Hold | undefined {
  const rivals = rivalsOf(record, of.set, of.but)
  return rivals.length >= of.limit ? rivals[0] : undefined
}

export function parkedAt(record: LockRecord, ref: Pick<MessageRef, 'messageId' | 'round'>): number {
  return record.parked.findIndex((call) => call.messageId === ref.messageId && call.round === ref.round)
}

export function asHolder(hold: Hold): Holder {
  const token = hold.stage === 'running' ? hold.token : null
  return { id: hold.messageId, stage: hold.stage, worker: hold.worker, since: hold.since, token }
}

/** How long until somebody else may be granted the key, as far as the record tells. */
export function remainingMs(hold: Hold, now: number): number {
  const until = hold.stage === 'running' ? hold.expiresAt + hold.lockDelayMs : hold.expiresAt
  return Math.max(0, until - now)
}

export function outcomeKey(ref: Pick<MessageRef, 'messageId' | 'round'>): string {
  return `${ref.messageId}/${ref.round}`
}

/** Tells a running hold to stop; it keeps its place until it has. The first who asked is remembered. */
export function cancel(record: LockRecord, hold: Hold, how: CancelledHow, by: string): void {
  record.notices.add(`worker:${hold.worker}`)
  if (hold.cancelledHow !== null) return
  hold.cancelledHow = how
  hold.cancelledBy = by
}

export function removeHold(record: LockRecord, hold: Hold): void {
  record.holders.splice(record.holders.indexOf(hold), 1)
}

/** Remembers a hold that ended while its message did not. */
export function remember(record: LockRecord, event: HoldEvent): void {
  record.history.push(event)
  if (record.history.length > HISTORY_KEPT) record.history.shift()
}

/** Strictly above every earlier token of this key, and above those of a lost record whose clock was not ahead. */
export function nextToken(record: LockRecord, now: number): number {
  record.lastToken = Math.max(record.lastToken + 1, now * 1000)
  return record.lastToken
}

/** Whether nothing about the key is left to remember, but its last token. */
export function isIdle(record: LockRecord): boolean {
  const { holders, parked, outcomes, history } = record
  return holders.length + parked.length + outcomes.size + history.length === 0
}
