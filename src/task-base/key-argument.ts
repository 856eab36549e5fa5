import canonicalize from 'canonicalize'
import { UsageError } from '../lock/error.js'
import { type LockKey, lockKey } from '../lock/key.js'
import { shortened } from '../lock/printable.js'
import { suggest } from '../lock/suggest.js'
import { plainArguments } from './argument.js'
import type { Guard } from './once.js'

/** What names a task's arguments. */
export interface Signature {
  readonly name: string
  readonly params: readonly string[] | null
  readonly defaults: Readonly<Record<string, unknown>> | null
}

/** Room for a label's values in lists: long ones are cut. */
const LABEL_VALUE = 60
const LABEL = 200

/** The arguments that `run` will get: plain, with the declared defaults filled in. Pure. @throws UsageError */
export function boundArguments(task: Signature, args: readonly unknown[]): unknown[] {
  const plain = plainArguments(task.name, args)
  if (task.defaults === null) return plain
  if (task.params !== null) return withPositionalDefaults(task, plain)
  const [only, ...rest] = plain
  if (rest.length > 0 || (only !== undefined && !isRecord(only))) return plain
  return [{ ...(plainArguments(task.name, [task.defaults])[0] as object), ...(only as object | undefined) }]
}

function withPositionalDefaults(task: Signature, args: unknown[]): unknown[] {
  const filled = [...args]
  for (const [i, name] of (task.params ?? []).entries()) {
    const value = task.defaults?.[name]
    if (i === filled.length && value !== undefined) filled.push(plainArguments(task.name, [value])[0])
  }
  return filled
}

/** Arguments given by name (`kwargs`), in the order `run` takes them. @throws UsageError for a name it does not have. */
export function namedArguments(task: Signature, named: Readonly<Record<string, unknown>>): unknown[] {
  const { params } = task
  if (params === null) return [named]
  for (const name of Object.keys(named)) {
    if (!params.includes(name))
      throw new UsageError(`task '${task.name}' has no argument '${name}'${suggest(name, params) || '.'}`)
  }
  const last = params.findLastIndex((name) => named[name] !== undefined)
  return params.slice(0, last + 1).map((name) => {
    const value = named[name] === undefined ? task.defaults?.[name] : named[name]
    if (value === undefined) throw new UsageError(`task '${task.name}' misses the argument '${name}'.`)
    return value
  })
}

/** The key of a call and its label for operators. `args` are bound. Pure. @throws UsageError */
export function keyOf(task: Signature, guard: Guard, args: readonly unknown[]): { key: LockKey; label: string } {
  const parts = keyParts(task, guard, args)
  const canonical = canonicalize(parts) ?? 'null'
  return { key: lockKey(task.name, canonical), label: labelOf(task, guard, parts) }
}

function keyParts(task: Signature, guard: Guard, args: readonly unknown[]): unknown {
  if (guard.key !== null) return plainArguments(task.name, [computed(task, guard.key, args)])[0]
  const named = argumentsByName(task, args)
  if (guard.keys === null) return named ?? args
  if (!named && guard.keys.length > 0 && args.length > 0) refuseNameless(task, guard.keys, args.length)
  return Object.fromEntries(guard.keys.map((name) => [name, named?.[name] ?? absent(task, name, named)]))
}

/** Null is a value like any other. Calls that leave a key argument out would all share one key, and stop each other. */
function absent(task: Signature, name: string, named: Readonly<Record<string, unknown>> | undefined): null {
  if (named?.[name] === null) return null
  const place = task.params === null ? '' : ` (argument ${task.params.indexOf(name) + 1})`
  throw new UsageError(
    `task '${task.name}' is locked by ${name}, which this call does not give${place}; pass it, or declare defaults = { ${name}: … } for calls without it.`,
  )
}

/** Calls whose key arguments cannot be found would all share one key, and stop each other. */
function refuseNameless(task: Signature, keys: readonly string[], count: number): never {
  const cure =
    task.params === null
      ? `pass one object with them, or declare params for positional arguments`
      : `it takes at most ${task.params.length}: ${task.params.join(', ')}`
  throw new UsageError(
    `task '${task.name}' is locked by ${keys.join(', ')}, which ${count} argument${count === 1 ? '' : 's'} without names cannot give; ${cure}.`,
  )
}

function computed(task: Signature, key: (...args: unknown[]) => unknown, args: readonly unknown[]): unknown {
  let value: unknown
  try {
    value = key(...structuredClone(args as unknown[]))
  } catch (cause) {
    throw new UsageError(`task '${task.name}': once.key failed: ${String(cause)}.`, { cause })
  }
  if (value === undefined) throw new UsageError(`task '${task.name}': once.key returned nothing; return a JSON value.`)
  return value
}

function argumentsByName(task: Signature, args: readonly unknown[]): Record<string, unknown> | undefined {
  if (task.params !== null && args.length <= task.params.length) {
    return Object.fromEntries(args.map((value, i) => [task.params?.[i] as string, value]))
  }
  return args.length === 1 && isRecord(args[0]) ? args[0] : undefined
}

function labelOf(task: Signature, guard: Guard, parts: unknown): string {
  const values = isRecord(parts) ? Object.entries(parts) : [['args', parts] as const]
  const shown = values
    .filter(([name, value]) => name !== 'args' || !Array.isArray(value) || value.length > 0)
    .map(([name, value]) => `${name}=${guard.redact ? '…' : shortened(JSON.stringify(value) ?? '', LABEL_VALUE)}`)
  return shortened([task.name, ...shown].join(' '), LABEL)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
