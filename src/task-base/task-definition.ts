import { UsageError } from '../lock/error.js'
import type { GuardDefinition } from '../lock/guard-definition.js'
import { printable } from '../lock/printable.js'
import { suggest } from '../lock/suggest.js'
import { type ReadTerms, readTerms, TERM_NAMES } from './call-term.js'
import { type Guard, readGuard } from './once.js'
import { RETRY_FIELDS, type RetryPolicy, readRetryPolicy } from './retry-policy.js'
import { Task } from './task.js'

/** What is known about a task once it is registered: read from one prototype instance. */
export interface TaskDefinition extends ReadTerms {
  readonly name: string
  readonly params: readonly string[] | null
  readonly defaults: Readonly<Record<string, unknown>> | null
  /** Null for a task without a lock. */
  readonly guard: Guard | null
  readonly maxRetries: number
  readonly retry: RetryPolicy
  /** False: one start at most. */
  readonly acksLate: boolean
  /** A fresh instance for one run. */
  create(): Task
}

/** What both a class and a function's options may say. */
export const FIELD_NAMES = ['params', 'defaults', 'maxRetries', 'acksLate', ...TERM_NAMES, ...RETRY_FIELDS] as const
export type FieldName = (typeof FIELD_NAMES)[number]

/** Fields of a task class that beatlock reads; a near miss of one of them is a mistake, not a field of the user's. */
const FIELDS: readonly string[] = ['name', 'once', ...FIELD_NAMES]

/** Reads a task class. @throws UsageError that names the class, the field, the value and the cure. */
export function readTask(taskClass: new () => Task): TaskDefinition {
  if (typeof taskClass !== 'function' || !(taskClass.prototype instanceof Task)) {
    throw new UsageError('register() takes a class that extends Task or QueueOnce.')
  }
  const prototype = instance(taskClass)
  const name = readTaskName(prototype.name, `class ${taskClass.name}: name`)
  refuseNearMisses(name, prototype)
  const once: unknown = 'once' in prototype ? prototype.once : undefined
  const params = readParams(name, prototype.params)
  const guard = once === undefined ? null : readGuard(name, once)
  refuseUnknownKeys(name, params, guard)
  const definition = {
    name,
    params,
    defaults: readDefaults(name, prototype.defaults),
    guard,
    maxRetries: readRetries(name, prototype.maxRetries),
    retry: readRetryPolicy(name, prototype),
    acksLate: readAcksLate(name, prototype.acksLate),
    ...readTerms(`task '${name}'`, prototype),
    create: () => new taskClass(),
  }
  if (typeof prototype.run !== 'function') throw new UsageError(`task '${name}' has no method run().`)
  return definition
}

function instance(taskClass: new () => Task): Task {
  try {
    return new taskClass()
  } catch (cause) {
    throw new UsageError(`class ${taskClass.name} cannot be made without arguments: ${String(cause)}.`, { cause })
  }
}

/** @throws UsageError for a name that is empty, too long or not printable. */
export function readTaskName(name: unknown, where: string): string {
  if (typeof name !== 'string' || !/^[A-Za-z_][\w.-]{0,199}$/.test(name)) {
    throw new UsageError(
      `${where} must be a task name such as 'feeds.refresh' (letters, digits, '.', '_', '-'; at most 200), got ${printable(JSON.stringify(name) ?? 'nothing')}.`,
    )
  }
  return name
}

function refuseNearMisses(name: string, prototype: Task): void {
  for (const field of Object.keys(prototype)) {
    const guess = FIELDS.includes(field) ? '' : suggest(field, FIELDS)
    if (guess !== '') throw new UsageError(`task '${name}' has a field '${field}'${guess} Rename it.`)
  }
}

function readParams(task: string, params: unknown): readonly string[] | null {
  if (params === undefined) return null
  const names = Array.isArray(params) && params.every((each) => typeof each === 'string' && each !== '')
  if (names && new Set(params).size === params.length) return params as string[]
  throw new UsageError(
    `task '${task}': params must be an array of different argument names, got ${JSON.stringify(params)}.`,
  )
}

/** No call could give such a key. */
function refuseUnknownKeys(task: string, params: readonly string[] | null, guard: Guard | null): void {
  for (const key of guard?.keys ?? []) {
    if (params === null || params.includes(key)) continue
    throw new UsageError(`task '${task}': once.keys names '${key}', which params lacks${suggest(key, params) || '.'}`)
  }
}

function readDefaults(task: string, defaults: unknown): TaskDefinition['defaults'] {
  if (defaults === undefined) return null
  if (typeof defaults === 'object' && defaults !== null && !Array.isArray(defaults))
    return defaults as Record<string, unknown>
  throw new UsageError(
    `task '${task}': defaults must be an object such as { full: false }, got ${JSON.stringify(defaults)}.`,
  )
}

function readRetries(task: string, retries: unknown): number {
  if (retries === Number.POSITIVE_INFINITY) return Number.MAX_SAFE_INTEGER
  if (typeof retries === 'number' && Number.isSafeInteger(retries) && retries >= 0) return retries
  throw new UsageError(`task '${task}': maxRetries must be a whole number from 0 up, got ${String(retries)}.`)
}

function readAcksLate(task: string, acksLate: unknown): boolean {
  if (acksLate === undefined || typeof acksLate === 'boolean') return acksLate ?? true
  throw new UsageError(`task '${task}': acksLate must be true or false, got ${String(acksLate)}.`)
}

/** What workers tell publishers that do not have the code. */
export function asGuardDefinition(task: TaskDefinition, guard: Guard): GuardDefinition {
  const { key, ...told } = guard
  const { params, defaults } = task
  return { ...told, params, defaults, opaque: key !== null }
}

/** The other way round: the guard that a worker told. */
export function guardTold({ params, defaults, opaque, ...guard }: GuardDefinition): Guard {
  return { ...guard, key: null, overlap: guard.overlap as Guard['overlap'] }
}
