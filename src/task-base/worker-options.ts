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
  /** How long a warm stop waits for what runs before it becomes a cold one. Default 5 minutes. */
  readonly shutdownTimeout?: Duration
}

export interface WorkerAppSettings {
  readonly maxTasksPerChild: number | null
  readonly maxMemoryBytes: number | null
  readonly shutdownMs: number
}

const NAMES = ['maxTasksPerChild', 'maxMemoryPerChild', 'shutdownTimeout']
const SHUTDOWN_MS = 300_000

/** @throws UsageError */
export function readWorkerOptions(where: string, options: WorkerAppOptions = {}): WorkerAppSettings {
  refuseUnknown(where, options, NAMES)
  const { maxTasksPerChild: tasks, maxMemoryPerChild: memory, shutdownTimeout } = options
  return {
    maxTasksPerChild: tasks === undefined ? null : readMaxTasks(`${where}.maxTasksPerChild`, tasks),
    maxMemoryBytes: memory === undefined ? null : parseByteSize(memory, `${where}.maxMemoryPerChild`),
    shutdownMs:
      shutdownTimeout === undefined ? SHUTDOWN_MS : parseDuration(shutdownTimeout, `${where}.shutdownTimeout`),
  }
}

/** @throws UsageError */
export function readMaxTasks(what: string, value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value
  throw new UsageError(`${what} must be a whole number from 1, got ${JSON.stringify(value)}.`)
}
