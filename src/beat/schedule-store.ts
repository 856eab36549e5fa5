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
  /** Nobody was there at its time, and `catchUp` did not bring it back. */
  | 'missed'
  /** Came due while its entry was paused. */
  | 'paused'
  | 'error'

export interface Decision {
  readonly entry: string
  /** Nominal time of the slot, epoch ms. For `missed` and `paused`, the latest of the slots that were dropped together. */
  readonly nominal: number
  readonly decision: DecisionName
  /** Message id of the holder that stood in the way, or null. */
  readonly holder: string | null
  /** How many slots this row stands for; 1 but for `missed` and `paused`. */
  readonly slots: number
  /** Of the claim under which it was written: tells whose decision is in force. 0 for dropped slots. */
  readonly term: number
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
  /** The last nominal time that was claimed or passed, or the instant of creation: next times are counted from here. */
  readonly nominal: number
  readonly claim: Claim | null
}

/** `disabled`: no slots come due. `paused`: they come due and are recorded. `finished`: `maxRuns` is reached. */
export type EntryState = 'active' | 'disabled' | 'paused' | 'finished' | 'removed'

/** One line of the timetable as it is stored. */
export interface EntryRow extends Cursor {
  readonly name: string
  /** JSON text of what runs when; the store does not look into it. Empty once removed. */
  readonly spec: string
  /** Names what the app's configuration said when it was merged; null for an entry added at run time. */
  readonly config: string | null
  readonly state: EntryState
  /** While paused: since when, and what for. */
  readonly pausedAt: number | null
  readonly pausedWhy: string | null
  /** Slots from the cursor up to here are `paused`: a resume that goes on from its own time. */
  readonly resumedAt: number | null
  /** Somebody asked for a run of its own; its nominal time. */
  readonly askedAt: number | null
  /** After so many runs the entry is `finished`. */
  readonly maxRuns: number | null
  /** Slots whose call was accepted: published, deferred, queued, replaced. Retries count nothing. */
  readonly runs: number
  /** Slots by decision since the entry was added, beyond what the history keeps. */
  readonly counts: Readonly<Partial<Record<DecisionName, number>>>
  /** The decision written last. */
  readonly last: { readonly nominal: number; readonly decision: DecisionName } | null
  readonly createdAt: number
  readonly changedAt: number
  /** Grows with each change of any entry of the app; claims and decisions change nothing. */
  readonly revision: number
}

export interface EntryPut {
  readonly name: string
  readonly spec: string
  readonly config: string | null
  readonly maxRuns: number | null
  /** What it takes the place of. Without it there must be none. */
  readonly over?: Over
}

/** An entry that is changed, as it was read, and what becomes of the slots that were due by its old rule. */
export interface Over {
  readonly revision: number
  /** The cursor. */
  readonly from: number
  /** Slots up to this instant of the store's clock are the old rule's, later ones the new one's. */
  readonly at: number
  readonly dropped: readonly Dropped[]
  /** A slot of the old rule that nobody has claimed and that is still to run: any beat takes it over. */
  readonly due: number | null
}

/**
 * `merge`: what the app's configuration says; an entry of the same `config` is left as it is, also where somebody has
 * changed it since. `add` leaves an entry that exists, `change` one that does not; `change` keeps `config`.
 */
export type PutHow = 'merge' | 'add' | 'change'
/** `moved`: the entry is not as `over` says; it is to be read again. `superseded`: another edition is in force. */
export type PutOutcome = 'created' | 'changed' | 'kept' | 'exists' | 'missing' | 'moved' | 'superseded'

export type Alteration =
  | { readonly to: 'enabled' | 'asked' }
  /** With `over`: only an entry that is as it says; else it stays as it is. */
  | { readonly to: 'disabled'; readonly over?: Omit<Over, 'due'> }
  | { readonly to: 'paused'; readonly why: string | null }
  /** `now`: slots that came due meanwhile are `paused`. `pausedAt`: they are caught up with as after a downtime. */
  | { readonly to: 'resumed'; readonly from: 'now' | 'pausedAt' }
  /** With `config`: only while that is the entry's. With `edition`: only while that is in force. */
  | { readonly to: 'removed'; readonly config: string | null; readonly edition?: string }

/** Slots that are passed without a run, written as one row. */
export interface Dropped {
  readonly decision: 'missed' | 'paused'
  readonly slots: number
  readonly latest: number
}

export interface ReserveRequest {
  readonly entry: string
  /** Of the row as read: a changed entry is claimed by its new rule only. */
  readonly revision: number
  /** The cursor as read: another value in the store means that somebody else was faster. */
  readonly from: number
  readonly nominal: number
  /** `asked`: the run that somebody asked for, which moves no cursor; in any state but removed. */
  readonly kind: 'slot' | 'asked'
  readonly by: string
  readonly claimMs: number
  /** Slots between `from` and `nominal`, written in the same step. */
  readonly dropped: readonly Dropped[]
}

export interface PassRequest {
  readonly entry: string
  readonly revision: number
  readonly from: number
  readonly to: number
  readonly dropped: readonly Dropped[]
}

export type ReserveAnswer =
  /** `nominal` is the cursor's. */
  | { readonly outcome: 'reserved'; readonly nominal: number; readonly claim: Claim; readonly now: number }
  /** The cursor as it is: moved by another beat, or with a claim that is still open. */
  | { readonly outcome: 'moved'; readonly cursor: Cursor; readonly now: number }
  /** The entry is not what it was when it was read: `changes` tells. */
  | { readonly outcome: 'changed'; readonly now: number }

/** What a beat tells of itself. */
export interface BeatReport {
  readonly name: string
  readonly host: string
  readonly pid: number
  readonly startedAt: number
  /** The configuration of its code; null for none. */
  readonly edition: string | null
  readonly entries: number
  /** How late the last slot was published, ms; null before the first. */
  readonly lagMs: number | null
  readonly lastTickAt: number | null
  readonly nextAt: number | null
}

export interface BeatRow extends BeatReport {
  readonly by: string
  readonly seenAt: number
  readonly leader: boolean
}

export interface AttendRequest {
  readonly by: string
  /** Null: nothing new to tell. */
  readonly report: BeatReport | null
  /** How long the lead is wanted for, or null to give it up. */
  readonly leadMs: number | null
}

export interface AdoptRequest {
  readonly by: string
  /** Its `edition` is the one that is to come into force. */
  readonly report: BeatReport
  /** Whether a store has answered before that another is. */
  readonly superseded: boolean
}

export interface Attendance {
  readonly now: number
  readonly revision: number
  /** The configuration in force; null before the first. */
  readonly edition: string | null
  /** Of the data, and of this life of their server: with another one they may be older than what was read before. */
  readonly origin: string
  /** Who leads; that saves the others' work and decides nothing. */
  readonly leader: string | null
}

/** At least so many decisions an entry are kept, the newest; a quarter more at most. */
export const DECISIONS_KEPT = 100
/** What is left of a removed entry, so that beats hear of it, is forgotten after this long. */
export const REMOVED_KEPT_MS = 86_400_000
/** A beat that was not seen for so long is no longer listed. */
export const BEAT_KEPT_MS = 60_000

/**
 * Entries, cursors, claims and decisions of one app's timetable. Each verb is one atomic step. An entry's cursor moves
 * from nominal to nominal by compare-and-set, so any number of beats share it without a double slot. `entry-record.ts`
 * says exactly what each verb does; all stores answer alike.
 */
export interface ScheduleStore {
  /** The store's clock, epoch ms. */
  now(): Promise<number>
  /**
   * Adds and changes entries, each for itself and by compare-and-set; answers in that order. New cursors begin at the
   * store's now. With an edition all are `superseded` unless that one is in force.
   */
  put(entries: readonly EntryPut[], how: PutHow, edition?: string): Promise<readonly PutOutcome[]>
  /** Answers the row as it is now, or null where there is none (or no longer, or its `config` is another). */
  alter(entry: string, alteration: Alteration): Promise<EntryRow | null>
  /** Rows changed since a revision, in the order of their changes, removed ones too; 0: all. The app's revision. */
  changes(after: number, limit: number): Promise<{ readonly revision: number; readonly rows: readonly EntryRow[] }>
  /** Null also for a removed one. */
  show(entry: string): Promise<EntryRow | null>
  /**
   * Claims a slot. Refused while the entry has an undecided claim: past its deadline that is taken over, never passed.
   * Idempotent per (entry, nominal, by).
   */
  reserve(request: ReserveRequest): Promise<ReserveAnswer>
  /** Moves the cursor over slots that nobody will run; answers `moved` with the cursor as it is then. */
  pass(request: PassRequest): Promise<Exclude<ReserveAnswer, { outcome: 'reserved' }>>
  /** Takes over a claim whose deadline has passed: same slot, next term. */
  takeOver(request: {
    readonly entry: string
    readonly term: number
    readonly by: string
    readonly claimMs: number
  }): Promise<ReserveAnswer>
  /**
   * Writes the one decision of a slot and closes its claim. The first writer wins: answers the decision in force. A
   * term that is no longer the present one closes nothing. Of a removed entry, and of a slot without an open claim,
   * nothing is written.
   */
  decide(decision: Omit<Decision, 'at'>): Promise<Decision>
  /** The newest first; about {@link DECISIONS_KEPT} an entry. */
  history(entry: string, limit: number): Promise<readonly Decision[]>
  /** Tells of this beat, and brings its edition into force if `adoptEdition` lets it. Answers which one is. */
  adopt(request: AdoptRequest): Promise<string>
  /** Tells of this beat, and takes, keeps or gives up the lead. */
  attend(request: AttendRequest): Promise<Attendance>
  /** The beats seen within the last minute. */
  beats(): Promise<readonly BeatRow[]>
  /** Forgets a beat that has stopped. */
  leave(by: string): Promise<void>
  /** Forgets everything of this app. For tests and the demo's end. */
  destroy(): Promise<void>
  close(): Promise<void>
}
