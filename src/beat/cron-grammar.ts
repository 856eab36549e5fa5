import { UsageError } from '../lock/error.js'
import { suggest } from '../lock/suggest.js'

const MACROS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
  '@minutely': '* * * * *',
  '@secondly': '* * * * * *',
  '@weekdays': '0 0 * * 1-5',
  '@weekends': '0 0 * * 0,6',
}

interface Field {
  readonly name: string
  readonly min: number
  readonly max: number
  /** Full names, in order from `first`; text has their first three letters. */
  readonly names: readonly string[]
  readonly first: number
  /** What one item of the list may be, steps aside. */
  readonly item: RegExp
}

const MONTHS = [
  ...['january', 'february', 'march', 'april', 'may', 'june'],
  ...['july', 'august', 'september', 'october', 'november', 'december'],
]
const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']
const SHORT_WEEKDAYS = WEEKDAYS.map(short).join('|')

const FIELDS: readonly Field[] = [
  field('second', [0, 59]),
  field('minute', [0, 59]),
  field('hour', [0, 23]),
  field('day of month', [1, 31], { others: '|\\?|L' }),
  field('month', [1, 12], { names: MONTHS, first: 1 }),
  field('weekday', [0, 7], { names: WEEKDAYS, others: `|\\?|(?:\\d|${SHORT_WEEKDAYS})(?:L|#[1-5])` }),
]

function field(
  name: string,
  [min, max]: readonly [number, number],
  { names = [], first = 0, others = '' }: { names?: readonly string[]; first?: number; others?: string } = {},
): Field {
  const value = names.length > 0 ? `(?:\\d+|${names.map(short).join('|')})` : '\\d+'
  const item = `^(?:(?:\\*|${value}(?:-${value})?|H(?:\\(\\d+-\\d+\\))?)(?:/\\d+)?${others})$`
  return { name, min, max, names, first, item: new RegExp(item, 'i') }
}

function short(name: string): string {
  return name.slice(0, 3)
}

/** `@daily` and its like as five or six fields; other text without the blanks round it. @throws UsageError */
export function expandMacro(text: string, entryName: string): string {
  const trimmed = text.trim()
  if (!trimmed.startsWith('@')) return trimmed
  const expanded = MACROS[trimmed.toLowerCase()]
  if (expanded) return expanded
  const names = Object.keys(MACROS)
  throw refusal(text, entryName, `"${trimmed}" is unknown${suggest(trimmed, names) || `; write ${names.join(', ')}`}`)
}

/**
 * Refuses with its place what cron-parser takes in silence and turns into something else: empty text and one to four
 * fields (it fills in from the left), `1jan` (read as 11), a hash range or step beyond its field (`*` with a step of
 * 100: once an hour), `*#2`, `?` outside the two day fields; and what it refuses without a cure: ranges that wrap round,
 * numbers outside their field.
 *
 * @throws UsageError
 */
export function checkCronGrammar(expanded: string, text: string, entryName: string): void {
  const words = [...expanded.matchAll(/\S+/g)]
  if (words.length !== 5 && words.length !== 6) {
    const cure = 'write five fields (minute hour day month weekday), or six with seconds first'
    throw refusal(text, entryName, `it has ${words.length} field${words.length === 1 ? '' : 's'}; ${cure}`)
  }
  const fields = words.length === 5 ? FIELDS.slice(1) : FIELDS
  const blanks = text.length - text.trimStart().length
  for (const [index, field] of fields.entries()) {
    const word = words[index]
    let position = blanks + (word?.index ?? 0) + 1
    for (const part of (word?.[0] ?? '').split(',')) {
      const why = whyUnfit(part, field)
      if (why) throw refusal(text, entryName, `${field.name} at position ${position} ${why}`)
      position += part.length + 1
    }
  }
}

function whyUnfit(part: string, field: Field): string | undefined {
  if (part === '') return 'has an empty part'
  if (!field.item.test(part)) return `does not understand "${part}"${cureFor(part, field)}`
  const [value = '', step] = part.split('/')
  const width = field.max - field.min + 1
  if (step !== undefined && (Number(step) === 0 || Number(step) > width)) {
    return `has a step of ${step} in "${part}"; write one of 1-${width}`
  }
  const numbers = numbersIn(value, field)
  const outside = numbers.find((each) => each < field.min || each > field.max)
  if (outside !== undefined) return `has ${outside} in "${part}"; it goes from ${field.min} to ${field.max}`
  const [from = 0, to = from] = value.includes('-') ? numbers : []
  return from > to ? `has a range that goes down, "${part}"; write ${wrapped(from, to, field)}` : undefined
}

/** Without the `2` of `mon#2`. */
function numbersIn(value: string, { names, first }: Field): readonly number[] {
  const words = value.replace(/#.$/, '').match(/\d+|[a-z]{3}/gi) ?? []
  return words.map((word) => {
    if (/^\d/.test(word)) return Number(word)
    return names.findIndex((name) => short(name) === word.toLowerCase()) + first
  })
}

/** What a range that wraps round stands for, in two parts. Sunday is 0 and 7. */
function wrapped(from: number, to: number, { name, min, max }: Field): string {
  const last = name === 'weekday' ? 6 : max
  const part = (a: number, b: number) => (a === b ? `${a}` : `${a}-${b}`)
  return from > last ? part(min, to) : `${part(from, last)},${part(min, to)}`
}

function cureFor(part: string, { names }: Field): string {
  const word = /[a-z]{3,}/i.exec(part)?.[0].toLowerCase() ?? ''
  const near = names.find((name) => word !== '' && name.startsWith(word.slice(0, 3)))
  if (near && word.length > 3) return `; did you mean "${short(near)}"?`
  return word === '' ? '' : suggest(word, names.map(short))
}

/** The one sentence about text that is no schedule. */
export function refusal(text: string, entryName: string, why: string, cause?: unknown): UsageError {
  const example = "a duration such as '5m' or cron text such as '0 3 * * *'"
  const end = why.endsWith('?') ? '' : '.'
  return new UsageError(`Expected \`schedule\` of entry ${entryName} to be ${example}, got \`${text}\`: ${why}${end}`, {
    cause,
  })
}
