import type { GlobalFlags } from './program.js'

/** Options of the commands that look at a stored timetable. */
export interface ScheduleFlags extends GlobalFlags {
  readonly json?: true
}

export interface HistoryFlags extends ScheduleFlags {
  readonly limit: string
}

export interface ResumeFlags extends ScheduleFlags {
  readonly from: string
}

export interface PauseFlags extends ScheduleFlags {
  readonly why?: string
}

/** What `add` and `change` take; each names a field of an entry. */
export interface EntryFlags extends ScheduleFlags {
  readonly task?: string
  readonly schedule?: string
  readonly args?: string
  readonly kwargs?: string
  readonly timezone?: string
  readonly overlap?: string
  readonly timeout?: string
  readonly queue?: string
  readonly priority?: string
  readonly expires?: string
  readonly headers?: string
  readonly catchUp?: string
  readonly catchUpWindow?: string
  readonly catchUpLimit?: string
  readonly jitter?: string
  readonly startsAt?: string
  readonly endsAt?: string
  readonly maxRuns?: string
  readonly pauseOnFailure?: true
  readonly external?: true
}

export interface PreviewFlags extends GlobalFlags {
  readonly timezone: string
  readonly count: string
  readonly after?: string
  readonly json?: true
}
