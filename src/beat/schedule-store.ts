/** What beat decided about one slot of one entry. */
export type DecisionName =
  | 'published'
  | 'skipped'
  | 'deferred'
  | 'queued'
  /** Waits for the holder that it cancelled. */
  | 'replaced'
  | 'coalesced'
  | 'refused'
  | 'missed'
  | 'error'

export interface Decision {
  readonly entry: string
  /** Nominal time of the slot, epoch ms. For `missed`, the latest of the slots that were dropped together. */
  readonly nominal: number
  readonly decision: DecisionName
  /** The id derived from entry and nominal time; null for `missed`. */
  readonly messageId: string | null
  /** Message id of the holder that stood in the way, or null. */
  readonly holder: string | null
  /** How many slots this row stands for; 1 but for `missed`. */
  readonly slots: number
  /** Epoch ms by the store's clock; the store sets it. */
  readonly at: number
}

/** A claimed slot: the beat that wrote it publishes; when its deadline passes, any beat may take it over. */
export interface Claim {
  readonly nominal: number
  /** Grows with each taking: only the present term may decide. */
  readonly term: number
  readonly by: string
  /** Epoch ms by the store's clock. */
  readonly deadline: number
}

/** Where an entry stands. */
export interface Cursor {
  readonly entry: string
  /** The last nominal time that was claimed, or the instant of creation: next times are counted from here. */
  readonly nominal: number
  readonly claim: Claim | null
}

export interface ReserveRequest {
  readonly entry: string
  /** The cursor as read: another value in the store means that somebody else was faster. */
  readonly from: number
  readonly nominal: number
  readonly by: string
  readonly claimMs: number
  /** Slots between `from` and `nominal` that are dropped, written as one `missed` row in the same step. */
  readonly missed: { readonly slots: number; readonly latest: number } | null
}

export type ReserveAnswer =
  | { readonly outcome: 'reserved'; readonly claim: Claim; readonly now: number }
  /** The cursor as it is: moved by another beat, or with a claim that is still open. */
  | { readonly outcome: 'moved'; readonly cursor: Cursor; readonly now: number }

/**
 * Cursors, claims and decisions of periodic entries; bound to one app's name. Each verb is one atomic step. An entry's
 * cursor moves from nominal to nominal by compare-and-set, so any number of beats share it without a double slot.
 */
export interface ScheduleStore {
  /** The store's clock, epoch ms. */
  now(): Promise<number>
  /** Creates missing cursors at the store's now and answers all that were named, in that order. */
  load(entries: readonly string[]): Promise<readonly Cursor[]>
  /**
   * Claims a slot. Refused while the entry has an undecided claim: past its deadline that is taken over, never passed.
   * Idempotent per (entry, nominal, by).
   */
  reserve(request: ReserveRequest): Promise<ReserveAnswer>
  /** Takes over a claim whose deadline has passed: same slot, next term. */
  takeOver(request: {
    readonly entry: string
    readonly term: number
    readonly by: string
    readonly claimMs: number
  }): Promise<ReserveAnswer>
  /**
   * Writes the one decision of a slot and closes its claim. The first writer wins: answers the decision in force.
   * A term that is no longer the present one closes nothing.
   */
  decide(decision: Omit<Decision, 'at'>, term: number): Promise<Decision>
  /** The newest first. At least the last 100 an entry are kept. */
  history(entry: string, limit: number): Promise<readonly Decision[]>
  /** Forgets everything of this app. For tests and the demo's end. */
  destroy(): Promise<void>
  close(): Promise<void>
}
