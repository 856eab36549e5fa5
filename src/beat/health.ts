/** What a beat tells of itself. Instants are ISO 8601 UTC, by the store's clock. */
export interface BeatHealth {
  /**
   * Within the last ten seconds its store, its locks' server and its broker answered, and a pass went well. False also
   * before the first answer.
   */
  readonly ok: boolean
  /** Why it is not; else null. */
  readonly why: string | null
  /** It does the work; another beat does where this is false. */
  readonly leader: boolean
  readonly entries: number
  /** How late the last slot went out, ms; null before the first. */
  readonly lagMs: number | null
  readonly lastTickAt: string | null
  readonly nextAt: string | null
}

/** A beat that has not reached one of its servers for so long is not well. */
export const WELL_MS = 10_000
