import { UsageError } from '../lock/error.js'
import { shortened } from '../lock/printable.js'
import { suggest } from '../lock/suggest.js'
import { readQueue } from './call-term.js'

export const INSPECTIONS = ['active', 'reserved', 'scheduled', 'registered', 'stats', 'ping'] as const
/** What may be asked of a worker without changing it. */
export type Inspection = (typeof INSPECTIONS)[number]

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** What a worker can be told; JSON. */
export type WorkerCommand =
  | { readonly do: 'inspect'; readonly what: Inspection }
  | { readonly do: 'grow' | 'shrink'; readonly by: number }
  | { readonly do: 'addQueue' | 'cancelQueue'; readonly queue: string }
  | { readonly do: 'shutdown' }
  | { readonly do: 'logLevel'; readonly level: LogLevel }

/** A command on its way: `from` tells the worker's log who gave it. */
export interface CommandBody {
  readonly v: 1
  readonly from: string
  readonly command: WorkerCommand
}

/** What a worker answers; JSON. */
export type CommandReply =
  /** `omitted`: so many of a list did not fit. */
  { readonly v: 1; readonly ok: unknown; readonly omitted: number } | { readonly v: 1; readonly error: string }

/** A run whose body is in a process. Instants are ISO 8601, UTC, by the store's clock. */
export interface ActiveRun {
  /** Message id: what `result` and `revoke` take. */
  readonly id: string
  readonly task: string
  /** Task and key arguments, as lists show them. */
  readonly label: string
  /** Null where the task hides them (`redact`), or where they take more than 1 kB. */
  readonly args: readonly unknown[] | null
  readonly queue: string
  readonly attempt: number
  readonly token: number | null
  /** Of the process that runs it. */
  readonly pid: number
  readonly since: string
  readonly runningMs: number
}

/** A message in a worker's hands whose body has not begun: on its way through the guard, or waiting for a process. */
export interface ReservedMessage extends Pick<ActiveRun, 'id' | 'task' | 'label' | 'args' | 'queue'> {
  readonly since: string
}

/**
 * A message that waits for its time with the broker: an ETA, a countdown, a retry, or put back because its key was held.
 * Workers of the same queue tell the same: it is in nobody's hands.
 */
export interface ScheduledMessage extends Pick<ActiveRun, 'id' | 'task' | 'label' | 'args' | 'queue'> {
  /** What the call asked for, or null: a retry or put-back, which is due soon. */
  readonly eta: string | null
}

export interface WorkerStats {
  readonly host: string
  readonly pid: number
  readonly version: string
  readonly node: string
  readonly startedAt: string
  readonly uptimeMs: number
  readonly pool: 'prefork' | 'solo'
  readonly concurrency: number
  readonly queues: readonly string[]
  readonly running: number
  readonly reserved: number
  readonly processes: readonly number[]
  /** Resident memory of the worker itself, without its children, in bytes. */
  readonly memory: number
  /** The servers as shown to people, without credentials; `barrier`: `session`, `quorum` or `none`. */
  readonly broker: string
  readonly locks: string
  readonly barrier: string
  /** What this process has counted, by task: see `app.counters()`. */
  readonly counters: Readonly<Record<string, Readonly<Record<string, number>>>>
}

const SHOWN = 60

/** Also of another version, which may know more. @throws UsageError for what no worker could do. */
export function readCommand(command: WorkerCommand): WorkerCommand {
  switch (command.do) {
    case 'inspect':
      return { do: 'inspect', what: readOne('inspect', command.what, INSPECTIONS) }
    case 'grow':
    case 'shrink':
      return { do: command.do, by: readBy(command) }
    case 'addQueue':
    case 'cancelQueue':
      return { do: command.do, queue: readQueue(command.do, command.queue) }
    case 'logLevel':
      return { do: 'logLevel', level: readOne('logLevel', command.level, LOG_LEVELS) }
    case 'shutdown':
      return { do: 'shutdown' }
    default:
      throw new UsageError(`the command ${shortened(JSON.stringify(command) ?? '', SHOWN)} is not known here.`)
  }
}

function readBy({ do: what, by }: { readonly do: string; readonly by: number }): number {
  if (Number.isSafeInteger(by) && by >= 1) return by
  throw new UsageError(`${what} takes a whole number of processes from 1 up, got ${String(by)}.`)
}

function readOne<T extends string>(what: string, value: unknown, known: readonly T[]): T {
  const found = known.find((each) => each === value)
  if (found) return found
  const text = String(value)
  throw new UsageError(`${what} must be ${known.join(', ')}, got '${text}'${suggest(text, known) || '.'}`)
}
