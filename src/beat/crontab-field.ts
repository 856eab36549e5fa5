import { UsageError } from '../lock/error.js'
import { suggest } from '../lock/suggest.js'

/** A field of `crontab()`: text in Celery's grammar, one number, or a list of numbers. */
export type CrontabField = string | number | readonly number[]

/** What may stand in a field. */
export interface FieldRange {
  readonly field: string
  readonly min: number
  readonly max: number
  /** Full names, in order from `first`; each also by its first three letters. */
  readonly names: readonly string[]
}

const PART = /^(?:(\*)|([0-9]+|[a-z]+)(?:-([0-9]+|[a-z]+))?)(?:\/([0-9]+))?$/i
/** As much of a part as fits the grammar: what follows is what is wrong. */
const FITTING = /^(?:\*|(?:[0-9]+|[a-z]+)(?:-(?:[0-9]+|[a-z]+))?)?(?:\/[0-9]+)?/i

/**
 * The numbers a field stands for, ascending, in Celery's documented grammar: `*`, `5`, `1-5`, `22-2` (wraps round),
 * a step after `*` or a range (`10-50/20`), names in their own field, lists by commas; blanks round a part are ignored.
 * A step counts from the first number of what it divides: every second of all days gives the odd ones.
 *
 * Stricter than Celery's code, which ignores what follows a part that it understands (`1-2-3`) and takes `monkey` for
 * Monday. @see https://docs.celeryq.dev/en/stable/reference/celery.schedules.html#celery.schedules.crontab_parser
 *
 * @throws UsageError
 */
export function parseField(value: CrontabField, range: FieldRange): readonly number[] {
  const numbers = typeof value === 'string' ? fromText(value, range) : fromNumbers(value, range)
  return [...new Set(numbers)].sort((a, b) => a - b)
}

function fromNumbers(value: number | readonly number[], range: FieldRange): readonly number[] {
  const numbers = typeof value === 'number' ? [value] : value
  if (!Array.isArray(numbers) || numbers.length === 0) {
    throw wrong(range, value, 'write text, a number or a list of numbers')
  }
  for (const number of numbers) {
    if (!Number.isInteger(number)) throw wrong(range, value, `\`${String(number)}\` is no whole number`)
    checkRange(number, value, range)
  }
  return numbers
}

function fromText(text: string, range: FieldRange): readonly number[] {
  const numbers: number[] = []
  let position = 1
  for (const part of text.split(',')) {
    const leading = part.length - part.trimStart().length
    numbers.push(...fromPart(part.trim(), { text, position: position + leading, range }))
    position += part.length + 1
  }
  return numbers
}

interface Place {
  readonly text: string
  /** Where the part begins in the text, from 1. */
  readonly position: number
  readonly range: FieldRange
}

function fromPart(part: string, place: Place): readonly number[] {
  const match = PART.exec(part)
  if (!match) throw wrong(place.range, place.text, whyUnfit(part, place))
  const [, all, first, last, step] = match
  const { min, max } = place.range
  const from = all ? min : toNumber(first ?? '', place)
  const to = all ? max : last === undefined ? from : toNumber(last, place)
  if (step === undefined) return expand(from, to, place.range)
  if (!all && last === undefined) {
    const cure = `a step needs a range: write ${first}-${max}/${step}`
    throw wrong(place.range, place.text, `"${part}" at position ${place.position}: ${cure}`)
  }
  if (Number(step) === 0) throw wrong(place.range, place.text, `the step of "${part}" must be at least 1`)
  return expand(from, to, place.range).filter((_, index) => index % Number(step) === 0)
}

function expand(from: number, to: number, { min, max }: FieldRange): number[] {
  const count = from <= to ? to - from + 1 : max - from + 1 + (to - min + 1)
  return Array.from({ length: count }, (_, index) =>
    from + index <= max ? from + index : from + index - max - 1 + min,
  )
}

function toNumber(word: string, { text, range }: Place): number {
  if (/^[0-9]+$/.test(word)) return checkRange(Number(word), text, range)
  const lower = word.toLowerCase()
  const index = range.names.findIndex((name) => lower === name || lower === name.slice(0, 3))
  if (index >= 0) return index + range.min
  const cure = suggest(word, range.names) || `; write numbers${range.names.length > 0 ? ' or names' : ''}`
  throw wrong(range, text, `"${word}" is unknown here${cure}`)
}

function checkRange(number: number, value: CrontabField, range: FieldRange): number {
  if (number >= range.min && number <= range.max) return number
  const sunday = range.field === 'dayOfWeek' && number === 7 ? '; Sunday is 0' : ''
  throw wrong(range, value, `${number} is not in ${range.min}-${range.max}${sunday}`)
}

function whyUnfit(part: string, { position, text }: Place): string {
  if (part === '')
    return text.trim() === '' ? 'it is empty; write "*" for every one' : `a part is empty at position ${position}`
  const fitting = FITTING.exec(part)?.[0].length ?? 0
  return `"${part.slice(fitting)}" at position ${position + fitting} does not belong there`
}

function wrong(range: FieldRange, value: unknown, why: string): UsageError {
  const example = range.names.length > 0 ? `'*', '1-5' or '${range.names[1]?.slice(0, 3)}'` : `'*', '*/15' or '1-5'`
  const got = typeof value === 'string' ? value : JSON.stringify(value)
  const type = Array.isArray(value) ? 'list' : typeof value
  const end = why.endsWith('?') ? '' : '.'
  return new UsageError(
    `Expected \`${range.field}\` of crontab() to be such as ${example}, got \`${got}\` (${type}): ${why}${end}`,
  )
}
