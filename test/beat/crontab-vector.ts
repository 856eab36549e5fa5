import type { CrontabFields } from '../../src/beat/crontab.js'
import { crontab } from '../../src/beat/crontab.js'
import type { CrontabField } from '../../src/beat/crontab-field.js'

const OUR_NAMES: Readonly<Record<string, keyof CrontabFields>> = {
  minute: 'minute',
  hour: 'hour',
  day_of_week: 'dayOfWeek',
  day_of_month: 'dayOfMonth',
  month_of_year: 'monthOfYear',
}

/** Celery's field names in ours. */
export function fromCelery(fields: Readonly<Record<string, CrontabField>>): CrontabFields {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [OUR_NAMES[name], value]))
}

/** The numbers that one field stands for, read off the slots it leads to. */
export function valuesOf(field: string, input: unknown): readonly number[] {
  const { others, spanMs, read } = WATCHED[field as keyof typeof WATCHED]
  const schedule = crontab(fromCelery({ ...others, [field]: input as CrontabField }))
  const found = new Set<number>()
  const start = Date.UTC(2024, 0, 1)
  let at = schedule.next(start - 1, 'UTC')
  while (at !== undefined && at < start + spanMs) {
    found.add(read(new Date(at)))
    at = schedule.next(at, 'UTC')
  }
  return [...found].sort((a, b) => a - b)
}

const DAY_MS = 86_400_000
/** How each field is watched: the others held still, until each of its values has come by once. */
const WATCHED = {
  minute: { others: {}, spanMs: DAY_MS / 24, read: (at: Date) => at.getUTCMinutes() },
  hour: { others: { minute: 0 }, spanMs: DAY_MS, read: (at: Date) => at.getUTCHours() },
  day_of_week: { others: { minute: 0, hour: 0 }, spanMs: 7 * DAY_MS, read: (at: Date) => at.getUTCDay() },
  day_of_month: { others: { minute: 0, hour: 0 }, spanMs: 31 * DAY_MS, read: (at: Date) => at.getUTCDate() },
  month_of_year: {
    others: { minute: 0, hour: 0, day_of_month: 1 },
    spanMs: 366 * DAY_MS,
    read: (at: Date) => at.getUTCMonth() + 1,
  },
}

/** The first fire that differs, for the failure's message. */
export function brokenAt(
  row: { tz: string; crontab: unknown; fires: readonly number[] },
  fires: readonly number[],
): string {
  const index = fires.findIndex((at, position) => at !== row.fires[position])
  const [ours, theirs] = [fires[index], row.fires[index]].map((at) => (at ? new Date(at * 1000).toISOString() : 'none'))
  return `${row.tz} ${JSON.stringify(row.crontab)}: ours ${ours}, expected ${theirs}`
}
