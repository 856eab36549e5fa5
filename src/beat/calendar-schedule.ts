import type { Schedule } from '../task-base/schedule.js'
import { type CalendarRule, DEFAULT_DST, type DstPolicy, nextInstant } from './calendar.js'

/** A schedule of times of day: the entry may choose what it does where clocks change. */
export interface CalendarSchedule extends Schedule {
  readonly withDst: (dst: DstPolicy) => CalendarSchedule
}

interface Written {
  readonly rule: CalendarRule
  readonly text: string
  readonly warnings?: readonly string[]
}

export function calendarSchedule(written: Written, dst: DstPolicy = DEFAULT_DST): CalendarSchedule {
  const { rule, text, warnings = [] } = written
  return {
    stored: true,
    text,
    warnings,
    next: (afterMs, zone) => nextInstant(rule, afterMs, zone, dst),
    withDst: (chosen) => calendarSchedule(rule.pace === 'clock' ? written : withoutEffect(written), chosen),
  }
}

export function isCalendar(schedule: Schedule): schedule is CalendarSchedule {
  return 'withDst' in schedule
}

function withoutEffect({ rule, text, warnings = [] }: Written): Written {
  const why = `${text} has * or a step in hour or minute and follows elapsed time: dstGap and dstFold change nothing.`
  return { rule, text, warnings: [...warnings, why] }
}
