import { createHash } from 'node:crypto'
import { UsageError } from '../lock/error.js'
import { plainArguments } from '../task-base/argument.js'
import { type Entry, readEntry } from '../task-base/entry.js'
import type { CallOnce } from '../task-base/once.js'
import type { Schedule } from '../task-base/schedule.js'

/** Fields whose values live in code: functions, and what JSON cannot carry. */
type CodeField = 'schedule' | 'args' | 'kwargs' | 'once' | 'options'

/** An entry as it is stored: its fields as JSON, and the names of those that only code has. */
export interface EntrySpec extends Omit<Entry, CodeField | 'startsAt' | 'endsAt'> {
  /** Text or seconds; or how people call one that lives in code. */
  readonly schedule: string | number | { readonly code: string }
  readonly args?: unknown
  readonly kwargs?: unknown
  readonly once?: CallOnce
  readonly options?: unknown
  readonly startsAt?: string
  readonly endsAt?: string
  readonly code?: readonly string[]
}

/** What is stored of an entry. Pure. */
export function specOf(entry: Entry): EntrySpec {
  const code: string[] = []
  const fields = Object.entries(entry).flatMap(([name, value]): [string, unknown][] => {
    if (value === undefined) return []
    const stored = name === 'schedule' ? storedSchedule(entry.schedule) : storedValue(value)
    if (stored !== undefined) return [[name, stored]]
    code.push(name)
    return name === 'schedule' ? [[name, { code: textOf(entry.schedule) }]] : []
  })
  const spec = Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1))) as unknown as EntrySpec
  return code.length === 0 ? spec : { ...spec, code: code.sort() }
}

/** The same text for the same entry, whatever the order of its fields. */
export function specText(spec: EntrySpec): string {
  return JSON.stringify(spec)
}

/** Names what a configuration says about an entry. */
export function configHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/**
 * The entry that a text means. What only code has comes from `code`; undefined where that is not the one of this entry.
 * @throws UsageError for a text that is none
 */
export function entryOf(name: string, text: string, code: Entry | undefined): Entry | undefined {
  const { code: missing = [], ...fields } = specFrom(name, text)
  if (missing.length > 0 && !code) return undefined
  const own = Object.fromEntries(missing.map((field) => [field, code?.[field as CodeField]]))
  return readEntry(name, { ...fields, ...own })
}

/** @throws UsageError for a text that is none: another version of beatlock wrote it. */
export function specFrom(name: string, text: string): EntrySpec {
  const spec = objectIn(text)
  if (spec) return spec as unknown as EntrySpec
  throw new UsageError(`entry '${name}' is stored in a form that this version of beatlock does not know.`)
}

/** What can be shown of a text, whoever wrote it. */
export function shownSpec(text: string): EntrySpec {
  const { task, schedule, timezone, ...spec } = objectIn(text) ?? {}
  return {
    ...spec,
    task: typeof task === 'string' ? task : '?',
    schedule: isSchedule(schedule) ? schedule : '?',
    ...(typeof timezone === 'string' ? { timezone } : {}),
  }
}

function isSchedule(value: unknown): value is EntrySpec['schedule'] {
  if (typeof value === 'string' || typeof value === 'number') return true
  return typeof value === 'object' && value !== null && 'code' in value && typeof value.code === 'string'
}

function objectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined
  } catch {
    return undefined
  }
}

/** The schedule as people write it. */
export function scheduleText({ schedule }: Pick<EntrySpec, 'schedule'>): string {
  if (typeof schedule === 'string') return schedule
  return typeof schedule === 'number' ? `every ${schedule}s` : schedule.code
}

/** Our own schedules read back from their text; what a user made may be another rule than its text says. */
function storedSchedule(schedule: Entry['schedule']): string | number | undefined {
  if (typeof schedule === 'string' || typeof schedule === 'number') return schedule
  return schedule.stored ? schedule.text : undefined
}

function storedValue(value: unknown): unknown {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? undefined : value.toISOString()
  try {
    return plainArguments('entry', [value])[0]
  } catch (error) {
    if (error instanceof UsageError) return undefined
    throw error
  }
}

function textOf(schedule: Entry['schedule']): string {
  return (schedule as Schedule).text ?? 'a schedule of its own'
}
