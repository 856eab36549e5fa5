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
  /** What one item of the list may be, steps aside. */
  readonly item: RegExp
}

const MONTHS = 'jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec'
const WEEKDAYS = 'sun|mon|tue|wed|thu|fri|sat'

const FIELDS: readonly Field[] = [
  { name: 'second', min: 0, max: 59, item: item('\\d+') },
  { name: 'minute', min: 0, max: 59, item: item('\\d+') },
  { name: 'hour', min: 0, max: 23, item: item('\\d+') },
  { name: 'day of month', min: 1, max: 31, item: item('\\d+', '|\\?|L') },
  { name: 'month', min: 1, max: 12, item: item(`(?:\\d+|${MONTHS})`) },
  {
    name: 'weekday',
    min: 0,
    max: 7,
    item: item(`(?:\\d+|${WEEKDAYS})`, `|\\?|(?:\\d|${WEEKDAYS})(?:L|#[1-5])`),
  },
]

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
 * Refuses what cron-parser takes in silence and turns into something else: empty text and one to four fields (it fills
 * in from the left), `1jan` (read as 11), a hash range or step beyond its field (`*` with a step of 100: once an hour),
 * `*#2`, `?` outside the two day fields.
 *
 * @throws UsageError
 */
export function checkCronGrammar(expanded: string, text: string, entryName: string): void {
  const words = expanded === '' ? [] : expanded.split(/\s+/)
  if (words.length !== 5 && words.length !== 6) {
    const cure = 'write five fields (minute hour day month weekday), or six with seconds first'
    throw refusal(text, entryName, `it has ${words.length} field${words.length === 1 ? '' : 's'}; ${cure}`)
  }
  const fields = words.length === 5 ? FIELDS.slice(1) : FIELDS
  for (const [index, field] of fields.entries()) {
    for (const part of (words[index] ?? '').split(',')) {
      const why = whyUnfit(part, field)
      if (why) throw refusal(text, entryName, `${field.name} ${why}`)
    }
  }
}

function item(value: string, others = ''): RegExp {
  return new RegExp(`^(?:(?:\\*|${value}(?:-${value})?|H(?:\\((\\d+)-(\\d+)\\))?)(?:/(\\d+))?${others})$`, 'i')
}

function whyUnfit(part: string, field: Field): string | undefined {
  if (part === '') return 'has an empty part'
  const match = field.item.exec(part)
  if (!match) return `does not understand "${part}"`
  const [, from, to, step] = match
  const width = field.max - field.min + 1
  if (step !== undefined && (Number(step) === 0 || Number(step) > width)) {
    return `has a step of ${step} in "${part}"; write one of 1-${width}`
  }
  const outside = from !== undefined && (Number(from) < field.min || Number(to) > field.max)
  return outside ? `has the range ${from}-${to} in "${part}"; it goes from ${field.min} to ${field.max}` : undefined
}

/** The one sentence about text that is no schedule. */
export function refusal(text: string, entryName: string, why: string, cause?: unknown): UsageError {
  const example = "a duration such as '5m' or cron text such as '0 3 * * *'"
  const end = why.endsWith('?') ? '' : '.'
  return new UsageError(`Expected \`schedule\` of entry ${entryName} to be ${example}, got \`${text}\`: ${why}${end}`, {
    cause,
  })
}
