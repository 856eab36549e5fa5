const LEAST_MS = 200
const MOST_MS = 10_000
const KILLED_MOST_MS = 1000

/** A start that failed: the `failures`th in a row. */
export interface FailedStart {
  readonly failures: number
  /** Somebody else ended the child by a signal: that says nothing of the next one. */
  readonly killed: boolean
}

/** How long the next start waits. It doubles: up to 10 s for a child's own fault, and no more than 1 s where it was killed. Pure. */
export function restartPauseMs({ failures, killed }: FailedStart): number {
  return Math.min(LEAST_MS * 2 ** (failures - 1), killed ? KILLED_MOST_MS : MOST_MS)
}
