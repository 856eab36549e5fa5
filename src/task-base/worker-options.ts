import { type Duration, parseDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import { type ByteSize, parseByteSize } from './byte-size.js'
import { refuseUnknown } from './unknown-option.js'

/** How this app's workers run, where their command line says nothing else. */
export interface WorkerAppOptions {
  /**
   * A child process is replaced after so many tasks, and is given no more unless the next one cannot start; 1 or more.
   * Default: never.
   */
  readonly maxTasksPerChild?: number
  /** A child whose resident memory is above this after a task is replaced: `'300mb'`. Default: never. */
  readonly maxMemoryPerChild?: ByteSize
  /**
   * How many children there may be (1 to 1000): more at once while messages wait, fewer when some were idle for `idle`
   * (default 30 s). Default: a fixed number.
   */
  readonly autoscale?: { readonly max: number; readonly min: number; readonly idle?: Duration }
  /** How long a warm stop waits for what runs before it becomes a cold one. Default 5 minutes. */
  readonly shutdownTimeout?: Duration
}

export interface WorkerAppSettings {
  readonly maxTasksPerChild: number | null
  readonly maxMemoryBytes: number | null
  readonly autoscale: Autoscale | null
  readonly shutdownMs: number
}

/** Bounds of a pool that follows its load. */
export interface Autoscale {
  readonly max: number
  readonly min: number
  readonly idleMs: number
}

const NAMES = ['maxTasksPerChild', 'maxMemoryPerChild', 'autoscale', 'shutdownTimeout']
/** More children than this are a mistake. */
export const MOST_CHILDREN = 1000
const IDLE_MS = 30_000
const SHUTDOWN_MS = 300_000

/** @throws UsageError */
export function readWorkerOptions(where: string, options: WorkerAppOptions = {}): WorkerAppSettings {
  refuseUnknown(where, options, NAMES)
  const { maxTasksPerChild: tasks, maxMemoryPerChild: memory, shutdownTimeout } = options
  return {
    maxTasksPerChild: tasks === undefined ? null : readMaxTasks(`${where}.maxTasksPerChild`, tasks),
    maxMemoryBytes: memory === undefined ? null : parseByteSize(memory, `${where}.maxMemoryPerChild`),
    autoscale: options.autoscale === undefined ? null : readAutoscale(`${where}.autoscale`, options.autoscale),
    shutdownMs:
      shutdownTimeout === undefined ? SHUTDOWN_MS : parseDuration(shutdownTimeout, `${where}.shutdownTimeout`),
  }
}

/** @throws UsageError */
export function readMaxTasks(what: string, value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value
  throw new UsageError(`${what} must be a whole number from 1, got ${JSON.stringify(value)}.`)
}

/** @throws UsageError */
export function readAutoscale(what: string, bounds: NonNullable<WorkerAppOptions['autoscale']>): Autoscale {
  refuseUnknown(what, bounds, ['max', 'min', 'idle'])
  const { max, min, idle } = bounds
  const fits = (number: unknown) =>
    Number.isInteger(number) && (number as number) >= 1 && (number as number) <= MOST_CHILDREN
  if (!fits(max) || !fits(min) || min > max)
    throw new UsageError(
      `${what} must be max and min, 1 to ${MOST_CHILDREN} and the larger first, got ${String(max)} and ${String(min)}.`,
    )
  return { max, min, idleMs: idle === undefined ? IDLE_MS : parseDuration(idle, `${what}.idle`, { minMs: 100 }) }
}
