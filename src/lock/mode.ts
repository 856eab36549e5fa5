/** The lock's scope over a message's life. */
export type Mode = 'untilExecuted' | 'untilExecuting' | 'whileExecuting' | 'untilAndWhileExecuting' | 'untilExpired'

export const MODES: readonly Mode[] = [
  'untilExecuted',
  'untilExecuting',
  'whileExecuting',
  'untilAndWhileExecuting',
  'untilExpired',
]

/**
 * Whom a hold keeps out. `all`: everyone. `waiting` and `running`: its own set and `all`. `free`: nobody; the run goes
 * on without the lock, kept in the record for its outcome, its lease and its redelivery.
 */
export type HolderSet = 'all' | 'waiting' | 'running' | 'free'

/** The set in which a message asks for its place, before it runs. */
export function entrySet(mode: Mode): HolderSet {
  if (mode === 'untilAndWhileExecuting') return 'waiting'
  return mode === 'whileExecuting' ? 'running' : 'all'
}

/** The set in which its body runs; it stays there through retries and redeliveries. */
export function runSet(mode: Mode): HolderSet {
  if (mode === 'untilExecuting') return 'free'
  return mode === 'untilExecuted' || mode === 'untilExpired' ? 'all' : 'running'
}

/** Whether two holds count against each other's limit. Symmetric. */
export function areRivals(one: HolderSet, other: HolderSet): boolean {
  if (one === 'free' || other === 'free') return false
  return one === 'all' || other === 'all' || one === other
}

/** Whether the publisher takes a hold; else the message meets its key at delivery. */
export function holdsAtPublish(mode: Mode): boolean {
  return mode !== 'whileExecuting'
}
