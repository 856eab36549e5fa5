/** When a child is replaced though it is well. Null: never. */
export interface Recycling {
  /** After how many bodies; it is never given more, unless the next child cannot start. */
  readonly maxTasks: number | null
  /** With more resident memory than this after a body, in bytes. */
  readonly maxMemoryBytes: number | null
}

export const NEVER_RECYCLED: Recycling = { maxTasks: null, maxMemoryBytes: null }

/** Whether a child is to leave after the body that it has run. Pure. */
export function isWornOut(
  { runs, rssBytes }: { readonly runs: number; readonly rssBytes: number },
  { maxTasks, maxMemoryBytes }: Recycling,
): boolean {
  return (maxTasks !== null && runs >= maxTasks) || (maxMemoryBytes !== null && rssBytes > maxMemoryBytes)
}

/** A child that was just given its `runs`th body. */
export interface Wear {
  readonly runs: number
  readonly maxTasks: number
  /** Since it was given its first. */
  readonly servedMs: number
  /** How long the next child is expected to take until it is ready. */
  readonly startMs: number
}

/** Whether to start the next child now, so that it is ready when the last body of this one has ended. Pure. */
export function warmsNext({ runs, maxTasks, servedMs, startMs }: Wear): boolean {
  const left = maxTasks - runs
  if (left <= 0) return true
  // Twice: the host is busy with this one's bodies meanwhile.
  return runs > 1 && (servedMs / (runs - 1)) * left <= 2 * startMs
}
