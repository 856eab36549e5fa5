/** How a message ended for good. */
export type FinalOutcome =
  | 'ran'
  | 'failed'
  | 'lock_lost'
  | 'skipped'
  | 'coalesced'
  | 'expired'
  | 'revoked'
  | 'cleared'
  | 'purged'
  | 'replaced'

/** The end of a message. `result` and `error` are JSON texts. */
export interface OutcomeRecord {
  readonly messageId: string
  readonly round: number
  readonly outcome: FinalOutcome
  /** The token of the run that ended, or null where no body ran. */
  readonly token: number | null
  /** JSON text of the returned value, or null. */
  readonly result: string | null
  /** Why, in a stable upper case word: TIME_LIMIT, MAX_DELIVERIES, UNKNOWN_TASK, TASK_ERROR … or null. */
  readonly code: string | null
  /** JSON text `{name, message, stack?, code?, cause?, errors?}` of an error, or null. */
  readonly error: string | null
  /** The message that covers this one (coalesced), stood in its way (skipped) or took its place (replaced), or null. */
  readonly into: string | null
  /** Epoch ms by the store's clock. */
  readonly at: number
}
