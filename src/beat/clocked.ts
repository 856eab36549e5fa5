import type { Schedule } from '../task-base/schedule.js'
import { readInstant } from './instant.js'

/**
 * One slot, at an instant: a Date, or ISO 8601 text with an offset or `Z`.
 *
 * An entry begins at the moment a beat first sees it, so an instant before that never comes.
 *
 * @throws UsageError
 * @example clocked('2027-01-01T00:00:00+01:00')
 */
export function clocked(at: Date | string): Schedule {
  const slot = readInstant(at, 'at')
  return {
    stored: true,
    text: `at ${new Date(slot).toISOString()}`,
    next: (afterMs) => (afterMs < slot ? slot : undefined),
  }
}
