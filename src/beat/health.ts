/** What a beat tells of itself. Instants are ISO 8601 UTC, by the store's clock. */
export interface BeatHealth {
  /** It asked the store within the last ten seconds. */
  readonly ok: boolean
  /** It does the work; another beat does where this is false. */
  readonly leader: boolean
  readonly entries: number
  /** How late the last slot went out, ms; null before the first. */
  readonly lagMs: number | null
  readonly lastTickAt: string | null
  readonly nextAt: string | null
}

/** A beat that has not reached its store for so long is not well. */
export const WELL_MS = 10_000
