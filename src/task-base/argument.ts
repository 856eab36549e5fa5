import { UsageError } from '../lock/error.js'
import { printable } from '../lock/printable.js'

type Path = readonly (string | number)[]

/**
 * The arguments as JSON will carry them: a deep copy without undefined properties. What JSON would silently change is
 * refused with its path.
 * @throws UsageError for NaN, infinities, −0, undefined in an array, gaps, BigInt, functions, symbols, Date, Map and
 *   other class instances, toJSON, cycles and lone surrogates.
 */
export function plainArguments(task: string, args: readonly unknown[]): unknown[] {
  const of = { subject: `task '${task}'`, root: 'args', data: { task } }
  return args.map((value, i) => {
    if (value === undefined)
      refuse({ of, path: [i], what: 'undefined', cure: 'pass null, or leave trailing arguments out' })
    return plain(value, { of, path: [i], parents: new Set() })
  })
}

/** One value as JSON will carry it, in the same way; `subject` opens the sentence of an error. @throws UsageError */
export function plainValue(subject: string, value: unknown): unknown {
  return plain(value, { of: { subject, root: 'value', data: {} }, path: [], parents: new Set() })
}

/** Whose value it is, for an error's sentence. */
interface Subject {
  readonly subject: string
  readonly root: string
  readonly data: Readonly<Record<string, unknown>>
}

interface Place {
  readonly of: Subject
  readonly path: Path
  readonly parents: Set<object>
}

function plain(value: unknown, at: Place): unknown {
  switch (typeof value) {
    case 'string':
      return plainText(value, at)
    case 'number':
      return plainNumber(value, at)
    case 'boolean':
      return value
    case 'object':
      return value === null ? null : plainObject(value, at)
    default:
      return refuse({
        ...at,
        what: value === undefined ? 'undefined' : typeof value === 'bigint' ? 'a BigInt' : `a ${typeof value}`,
        cure: 'pass text or a number',
      })
  }
}

function plainText(value: string, at: Place): string {
  if (value.isWellFormed()) return value
  return refuse({ ...at, what: 'text with a lone surrogate', cure: 'pass well-formed Unicode' })
}

function plainNumber(value: number, at: Place): number {
  if (Object.is(value, -0)) return refuse({ ...at, what: '-0', cure: 'pass 0' })
  if (Number.isFinite(value)) return value
  return refuse({ ...at, what: String(value), cure: 'pass a finite number or null' })
}

function plainObject(value: object, at: Place): unknown {
  if (at.parents.has(value)) return refuse({ ...at, what: 'a cycle', cure: 'pass a tree' })
  const below = { of: at.of, parents: new Set(at.parents).add(value) }
  if (Array.isArray(value)) return plainArray(value, { ...below, path: at.path })
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    return refuse({ ...at, what: `a ${className(value)}`, cure: cureFor(value) })
  }
  if (Object.getOwnPropertySymbols(value).length > 0)
    return refuse({ ...at, what: 'a symbol property', cure: 'use text names' })
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') {
    return refuse({ ...at, what: 'an object with toJSON', cure: 'pass what it would become' })
  }
  const copy: Record<string, unknown> = Object.create(null) as Record<string, unknown>
  for (const [name, each] of Object.entries(value)) {
    plainText(name, at)
    if (each !== undefined) copy[name] = plain(each, { ...below, path: [...at.path, name] })
  }
  return Object.setPrototypeOf(copy, Object.prototype)
}

function plainArray(value: readonly unknown[], at: Place): unknown[] {
  return Array.from({ length: value.length }, (_, i) => {
    const path = [...at.path, i]
    if (!(i in value)) return refuse({ ...at, path, what: 'a gap in an array', cure: 'pass null' })
    if (value[i] === undefined) return refuse({ ...at, path, what: 'undefined in an array', cure: 'pass null' })
    return plain(value[i], { ...at, path })
  })
}

function className(value: object): string {
  return printable(value.constructor?.name || 'class instance')
}

function cureFor(value: object): string {
  if (value instanceof Date) return 'pass its ISO text or epoch ms'
  if (value instanceof Map || value instanceof Set) return 'pass a plain object or array'
  return 'pass a plain object'
}

function refuse({ of, path, what, cure }: { of: Subject; path: Path; what: string; cure: string }): never {
  const steps = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${printable(part)}`))
  const place = `${of.root}${steps.join('')}`
  throw new UsageError(`${of.subject}: ${place} is ${what}, which JSON would change; ${cure}.`, {
    data: { ...of.data, path: place },
  })
}
