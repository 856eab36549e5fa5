import { UsageError } from '../lock/error.js'
import { suggest } from '../lock/suggest.js'
import type { Schedule } from '../task-base/schedule.js'
import type { CalendarRule } from './calendar.js'
import { calendarSchedule } from './calendar-schedule.js'
import { type CrontabField, type FieldRange, parseField } from './crontab-field.js'
import { refuseNever } from './never-comes.js'

/** All five default to `'*'`. */
export interface CrontabFields {
  /** 0–59. */
  readonly minute?: CrontabField
  /** 0–23. */
  readonly hour?: CrontabField
  /** 0 (Sunday) – 6, or `sun` … `sat`, `sunday` … */
  readonly dayOfWeek?: CrontabField
  /** 1–31. */
  readonly dayOfMonth?: CrontabField
  /** 1–12, or `jan` … `dec`, `january` … */
  readonly monthOfYear?: CrontabField
}

const RANGES = {
  minute: { field: 'minute', min: 0, max: 59, names: [] },
  hour: { field: 'hour', min: 0, max: 23, names: [] },
  dayOfWeek: {
    field: 'dayOfWeek',
    min: 0,
    max: 6,
    names: ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'],
  },
  dayOfMonth: { field: 'dayOfMonth', min: 1, max: 31, names: [] },
  monthOfYear: {
    field: 'monthOfYear',
    min: 1,
    max: 12,
    names: [
      ...['january', 'february', 'march', 'april', 'may', 'june'],
      ...['july', 'august', 'september', 'october', 'november', 'december'],
    ],
  },
} as const satisfies Record<keyof CrontabFields, FieldRange>

/**
 * Times of day and dates, with Celery's fields and grammar. A slot matches **all five** fields: day of month and day of
 * week together mean their intersection (plain cron takes their union).
 *
 * Where the clocks change, a fixed time in a gap runs later by the gap, one that comes twice runs the first time; rules
 * with `*` or a step in minute or hour follow elapsed time. A step counts from the field's first number: every
 * second day is 1, 3, 5 …
 *
 * @throws UsageError for an unknown field, text outside the grammar, or a date that never comes (31 April).
 * @example crontab({ minute: 0, hour: 3 })   crontab({ minute: [0, 30] })   crontab({ minute: 30, hour: 9, dayOfWeek: 'mon-fri' })
 */
export function crontab(fields: CrontabFields = {}): Schedule {
  refuseUnknown(fields)
  const rule = toRule(fields)
  const written = describe(fields)
  const { dayOfMonth = '*' } = fields
  // Of the others each comes: in 400 years 29 February falls on every day of the week.
  refuseNever(written, { days: parseField(dayOfMonth, RANGES.dayOfMonth), months: rule.months }, dayOfMonth)
  return calendarSchedule({ rule, text: toText(fields), warnings: warningsFor(fields, written) })
}

/**
 * The same from five fields in cron's order, `minute hour dayOfMonth monthOfYear dayOfWeek`, in the grammar above: day
 * of month and day of week must **both** match, and Sunday is 0, not 7. For text as cron itself reads it, give an entry
 * the text alone.
 *
 * @throws UsageError
 * @example crontab.fromString('0 3 * * mon-fri')
 */
crontab.fromString = (text: string): Schedule => {
  const words = typeof text === 'string' ? text.split(/\s+/).filter((word) => word !== '') : []
  if (words.length !== IN_CRON_ORDER.length) {
    const cure = String(text).trim().startsWith('@')
      ? 'words such as @daily are cron text: give the entry the text alone'
      : `write five fields, ${IN_CRON_ORDER.join(' ')}`
    throw new UsageError(`Expected five fields in crontab.fromString(), got \`${String(text)}\`: ${cure}.`)
  }
  return crontab(Object.fromEntries(IN_CRON_ORDER.map((name, index) => [name, words[index]])))
}

const IN_CRON_ORDER = ['minute', 'hour', 'dayOfMonth', 'monthOfYear', 'dayOfWeek'] as const

function refuseUnknown(fields: CrontabFields): void {
  const known = Object.keys(RANGES)
  for (const name of Object.keys(fields)) {
    if (known.includes(name)) continue
    const guess = suggest(name, known) || `; its fields are ${known.join(', ')}.`
    throw new UsageError(`crontab() has no field \`${name}\`${guess}`)
  }
}

function toRule(fields: CrontabFields): CalendarRule {
  const { minute = '*', hour = '*', dayOfWeek = '*', dayOfMonth = '*', monthOfYear = '*' } = fields
  const weekdays = new Set(parseField(dayOfWeek, RANGES.dayOfWeek))
  const days = new Set(parseField(dayOfMonth, RANGES.dayOfMonth))
  return {
    seconds: [0],
    minutes: parseField(minute, RANGES.minute),
    hours: parseField(hour, RANGES.hour),
    months: parseField(monthOfYear, RANGES.monthOfYear),
    matchesDay: (day) => days.has(day.dayOfMonth) && weekdays.has(day.weekday),
    pace: isRhythm(minute) || isRhythm(hour) ? 'elapsed' : 'clock',
  }
}

function isRhythm(field: CrontabField): boolean {
  return typeof field === 'string' && /[*/]/.test(field)
}

/** What an entry takes as text for the same rule. */
function toText(fields: CrontabFields): string {
  const words = IN_CRON_ORDER.map((name) => String(fields[name] ?? '*').replaceAll(/\s+/g, ''))
  return `crontab ${words.join(' ')}`
}

/** As its author wrote it. */
function describe(fields: CrontabFields): string {
  const written = Object.entries(fields).filter(([, value]) => value !== undefined)
  const inside = written.map(
    ([name, value]) => `${name}: ${typeof value === 'string' ? `'${value}'` : JSON.stringify(value)}`,
  )
  return inside.length > 0 ? `crontab({ ${inside.join(', ')} })` : 'crontab()'
}

/** Celery's classic slip: an hour without a minute runs sixty times. */
function warningsFor(fields: CrontabFields, text: string): readonly string[] {
  const others = Object.entries(fields).filter(([name, value]) => name !== 'minute' && value !== undefined)
  if (fields.minute !== undefined || others.length === 0) return []
  return [`${text} has no minute and runs 60 times an hour: add minute: 0 if once is meant.`]
}
