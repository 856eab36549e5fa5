import fc from 'fast-check'
import type { WallTime } from './oracle.js'

/** Cron text, and what it means by the words of cron's manual: the tests' witness, which knows no parser. */
export interface CronModel {
  readonly text: string
  readonly matches: (wall: WallTime & { readonly daysInMonth: number }) => boolean
  /** The date fields name a day of month that some month has. */
  readonly hasDate: boolean
}

interface Field {
  readonly text: string
  readonly values: ReadonlySet<number>
}

interface DayField extends Field {
  readonly matchesDay: (wall: WallTime & { readonly daysInMonth: number }) => boolean
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const LONGEST = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** Six fields: times of day at random, every day. `rhythm`: a star or a step in the hour, so that elapsed time counts. */
export function anyTime({ rhythm }: { rhythm: boolean }): fc.Arbitrary<CronModel> {
  const hours = rhythm ? fc.oneof(fc.constant(star(0, 23)), anyStep(0, 23)) : anyList(0, 23, 12)
  const minutes = rhythm ? anyField(0, 59) : anyList(0, 59, 5)
  return fc.tuple(anyField(0, 59), minutes, hours).map(([second, minute, hour]) => ({
    text: `${second.text} ${minute.text} ${hour.text} * * *`,
    matches: (wall) => second.values.has(wall.second) && minute.values.has(wall.minute) && hour.values.has(wall.hour),
    hasDate: true,
  }))
}

/** Five fields: midnight of days at random. */
export function anyDay(): fc.Arbitrary<CronModel> {
  return fc.tuple(anyDate(), anyField(1, 12, MONTHS), anyWeekday()).map(([date, month, weekday]) => ({
    text: `0 0 ${date.text} ${month.text} ${weekday.text}`,
    matches: (wall) => month.values.has(wall.month) && either(date, weekday)(wall),
    hasDate:
      date.text.includes('L') ||
      [...month.values].some((each) => [...date.values].some((day) => day <= (LONGEST[each - 1] ?? 0))),
  }))
}

/** Both restricted: either may match. Else the restricted one must. */
function either(date: DayField, weekday: DayField): DayField['matchesDay'] {
  const free = ({ text }: Field) => text === '*' || text === '?'
  if (free(date)) return weekday.matchesDay
  if (free(weekday)) return date.matchesDay
  return (wall) => date.matchesDay(wall) || weekday.matchesDay(wall)
}

function anyDate(): fc.Arbitrary<DayField> {
  const plain = fc.oneof(anyField(1, 31), fc.constant(star(1, 31, '?')))
  const withLast = anyList(1, 31, 3).map(({ text, values }) => ({ text: `${text},L`, values }))
  const last = fc.constant({ text: 'L', values: new Set<number>() })
  return fc.oneof(plain, plain, withLast, last).map((field) => ({
    ...field,
    matchesDay: (wall) =>
      field.values.has(wall.dayOfMonth) || (field.text.includes('L') && wall.dayOfMonth === wall.daysInMonth),
  }))
}

function anyWeekday(): fc.Arbitrary<DayField> {
  const plain = fc.oneof(anyField(0, 7, WEEKDAYS), fc.constant(star(0, 7, '?'))).map((field) => ({
    ...field,
    matchesDay: (wall: WallTime) => has(field.values, wall.weekday),
  }))
  const day = fc.integer({ min: 0, max: 7 })
  const last = day.map((each) => ({
    text: `${each}L`,
    values: new Set([each]),
    matchesDay: (wall: WallTime & { daysInMonth: number }) =>
      wall.weekday === each % 7 && wall.dayOfMonth + 7 > wall.daysInMonth,
  }))
  const nth = fc.tuple(day, fc.integer({ min: 1, max: 5 })).map(([each, week]) => ({
    text: `${each}#${week}`,
    values: new Set([each]),
    matchesDay: (wall: WallTime) =>
      wall.weekday === each % 7 && wall.dayOfMonth > 7 * (week - 1) && wall.dayOfMonth <= 7 * week,
  }))
  return fc.oneof(plain, plain, last, nth)
}

/** Sunday is 0 and 7. */
function has(values: ReadonlySet<number>, weekday: number): boolean {
  return values.has(weekday) || (weekday === 0 && values.has(7))
}

function anyField(min: number, max: number, names: readonly string[] = []): fc.Arbitrary<Field> {
  return fc.oneof(fc.constant(star(min, max)), anyList(min, max, 4, names), anyRange(min, max), anyStep(min, max))
}

function star(min: number, max: number, text = '*'): Field {
  return { text, values: upTo(min, max, 1) }
}

function anyList(min: number, max: number, most: number, names: readonly string[] = []): fc.Arbitrary<Field> {
  const numbers = fc.uniqueArray(fc.integer({ min, max: names.length > 0 ? min + names.length - 1 : max }), {
    minLength: 1,
    maxLength: most,
  })
  return fc.tuple(numbers, fc.boolean()).map(([values, named]) => ({
    text: values.map((each) => (named && names[each - min]) || `${each}`).join(','),
    values: new Set(values),
  }))
}

function anyRange(min: number, max: number): fc.Arbitrary<Field> {
  return anyPair(min, max).map(([from, to]) => ({ text: `${from}-${to}`, values: upTo(from, to, 1) }))
}

/** A star, a range or a start, with a step: it counts from the first number. */
function anyStep(min: number, max: number): fc.Arbitrary<Field> {
  const step = fc.integer({ min: 1, max: max - min + 1 })
  return fc.tuple(anyPair(min, max), step, fc.constantFrom('star', 'range', 'start')).map(([[from, to], by, kind]) => {
    if (kind === 'star') return { text: `*/${by}`, values: upTo(min, max, by) }
    if (kind === 'range') return { text: `${from}-${to}/${by}`, values: upTo(from, to, by) }
    return { text: `${from}/${by}`, values: upTo(from, max, by) }
  })
}

function anyPair(min: number, max: number): fc.Arbitrary<[number, number]> {
  const number = fc.integer({ min, max })
  return fc.tuple(number, number).map(([a, b]) => [Math.min(a, b), Math.max(a, b)])
}

function upTo(from: number, to: number, step: number): Set<number> {
  const values = new Set<number>()
  for (let each = from; each <= to; each += step) values.add(each)
  return values
}
