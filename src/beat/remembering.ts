import type { Schedule } from '../task-base/schedule.js'

/**
 * The same schedule, which remembers its last answer in each zone: between an instant and the slot that follows it the
 * answer is the same. A hundred thousand entries of few schedules ask little more than those few.
 */
export function remembering(schedule: Schedule): Schedule {
  const last = new Map<string, { readonly from: number; readonly next: number | undefined }>()
  return {
    ...schedule,
    next: (afterMs, zone) => {
      const known = last.get(zone)
      if (known && afterMs >= known.from && (known.next === undefined || afterMs < known.next)) return known.next
      const next = schedule.next(afterMs, zone)
      last.set(zone, { from: afterMs, next })
      return next
    },
  }
}
