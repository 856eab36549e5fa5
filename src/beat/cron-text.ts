import { createRequire } from 'node:module'
import type { CronDayOfMonth, CronDayOfWeek, CronExpressionParser, CronFieldCollection } from 'cron-parser'
import type { Schedule } from '../task-base/schedule.js'
import { type CalendarDay, type CalendarRule, everComes } from './calendar.js'
import { calendarSchedule } from './calendar-schedule.js'
import { checkCronGrammar, expandMacro, refusal } from './cron-grammar.js'
import { tooShort } from './never-comes.js'

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
  const fields = parse(expanded, text, entryName)
  const rule = toRule(fields, expanded)
  const dateAlone = { ...rule, matchesDay: dateRule(fields.dayOfMonth) }
  if (!everComes(rule) || !everComes(dateAlone)) throw refusal(text, entryName, noSuchDay(expanded, text, entryName))
  return calendarSchedule({ rule, text, warnings: warningsFor(text, expanded) })
}

function parse(expanded: string, text: string, entryName: string): CronFieldCollection {
  try {
    return parser().parse(expanded, { hashSeed: entryName }).fields
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const impossible = why === 'Invalid explicit day of month definition'
    throw refusal(text, entryName, impossible ? noSuchDay(expanded, text, entryName) : why, cause)
  }
}

/** cron-parser refuses what its fields say together, not each: they are read one by one. */
function noSuchDay(expanded: string, text: string, entryName: string): string {
  const [date = '*', month = '*'] = expanded.split(/\s+/).slice(-3)
  const days = ascending(parse(`0 0 ${date} * *`, text, entryName).dayOfMonth.values)
  const months = ascending(parse(`0 0 * ${month} *`, text, entryName).month.values)
  const short = tooShort({ days, months })
  const why = 'no month that it names has such a day'
  if (!short) return why
  const position = ([...text.matchAll(/\S+/g)].at(-3)?.index ?? 0) + 1
  return `${why}: "${date}" at position ${position}, but ${short.why}; write ${short.longest} or less, or L for the last day`
}

/** Where dialects part: some crons take a step after `*` for no restriction, and want both days to match. */
function warningsFor(text: string, expanded: string): readonly string[] {
  const [date = '', , weekday = ''] = expanded.split(/\s+/).slice(-3)
  const stepped = [date, weekday].find((each) => each.startsWith('*/'))
  if (stepped === undefined || [date, weekday].some((each) => each === '*' || each === '?')) return []
  return [
    `${text} runs when ${stepped} or the other day field matches; if both must match, write 'crontab ${expanded.split(/\s+/).slice(-5).join(' ')}'.`,
  ]
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
