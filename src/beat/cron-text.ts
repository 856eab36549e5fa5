import { createRequire } from 'node:module'
import type { CronDayOfMonth, CronDayOfWeek, CronExpressionParser, CronFieldCollection } from 'cron-parser'
import type { Schedule } from '../task-base/schedule.js'
import { type CalendarDay, type CalendarRule, everComes } from './calendar.js'
import { calendarSchedule } from './calendar-schedule.js'
import { checkCronGrammar, expandMacro, refusal } from './cron-grammar.js'

/**
 * Cron text: five fields (minute hour day month weekday), or six with seconds first; names, ranges, lists, steps;
 * `H` (a value that the entry's name picks, so that entries spread), `L` (last day; `5L` last Friday), `1#2` (second
 * Monday), `@daily` and its like. When day of month **and** weekday are restricted, either may match, as in cron.
 *
 * Only the text is cron-parser's affair: its own search goes wrong where clocks change by other than an hour.
 *
 * @throws UsageError that names the entry.
 */
export function cronText(text: string, entryName: string): Schedule {
  const expanded = expandMacro(text, entryName)
  checkCronGrammar(expanded, text, entryName)
  const rule = toRule(parse(expanded, text, entryName), expanded)
  if (!everComes(rule)) throw refusal(text, entryName, 'no such date ever comes')
  return calendarSchedule({ rule, text })
}

function parse(expanded: string, text: string, entryName: string): CronFieldCollection {
  try {
    return parser().parse(expanded, { hashSeed: entryName }).fields
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const impossible = why === 'Invalid explicit day of month definition'
    throw refusal(text, entryName, impossible ? 'no month has such a day' : why, cause)
  }
}

function toRule(fields: CronFieldCollection, expanded: string): CalendarRule {
  const [minute = '', hour = ''] = expanded.split(/\s+/).slice(-5)
  return {
    seconds: ascending(fields.second.values),
    minutes: ascending(fields.minute.values),
    hours: ascending(fields.hour.values),
    months: ascending(fields.month.values),
    matchesDay: dayRule(fields.dayOfMonth, fields.dayOfWeek),
    pace: /[*/]/.test(minute + hour) ? 'elapsed' : 'clock',
  }
}

function ascending(values: readonly (number | string)[]): readonly number[] {
  return [...new Set(values.map(Number))].sort((a, b) => a - b)
}

function dayRule(dates: CronDayOfMonth, weekdays: CronDayOfWeek): CalendarRule['matchesDay'] {
  const isDate = dateRule(dates)
  const isWeekday = weekdayRule(weekdays)
  if (dates.isWildcard) return isWeekday
  if (weekdays.isWildcard) return isDate
  return (day) => isDate(day) || isWeekday(day)
}

function dateRule({ values, hasLastChar }: CronDayOfMonth): (day: CalendarDay) => boolean {
  const dates = new Set<number | string>(values)
  return ({ dayOfMonth, daysInMonth }) => dates.has(dayOfMonth) || (hasLastChar && dayOfMonth === daysInMonth)
}

/** `values` holds numbers, where 7 is Sunday too, and texts such as `5L`; `nthDay` is the `2` of `1#2`, else 0. */
function weekdayRule({ values, nthDay }: CronDayOfWeek): (day: CalendarDay) => boolean {
  const texts = values.map(String)
  const plain = new Set(texts.filter((each) => !each.endsWith('L')).map((each) => Number(each) % 7))
  const last = new Set(texts.filter((each) => each.endsWith('L')).map((each) => Number(each.slice(0, -1)) % 7))
  return ({ dayOfMonth, daysInMonth, weekday }) => {
    if (last.has(weekday) && dayOfMonth + 7 > daysInMonth) return true
    return plain.has(weekday) && (nthDay === 0 || Math.ceil(dayOfMonth / 7) === nthDay)
  }
}

let loaded: typeof CronExpressionParser | undefined

/** Loaded at the first cron text: it costs 20 ms of `import 'beatlock'`. */
function parser(): typeof CronExpressionParser {
  loaded ??= (createRequire(import.meta.url)('cron-parser') as { CronExpressionParser: typeof CronExpressionParser })
    .CronExpressionParser
  return loaded
}
