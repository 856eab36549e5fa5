import { UsageError } from '../lock/error.js'
import type { LockKey } from '../lock/key.js'
import { acknowledge } from '../task-base/burial.js'
import { lockAtDelivery } from '../task-base/call.js'
import { errorText } from '../task-base/carried-error.js'
import { Endings } from '../task-base/endings.js'
import type { Verdict } from '../task-base/engine.js'
import { guardExecution } from '../task-base/execution-guard.js'
import type { Message } from '../task-base/message.js'
import type { ExecutionPorts, RunBounds } from '../task-base/run.js'
import { endUnstarted } from '../task-base/run-end.js'
import { MAX_DELIVERIES, subject } from '../task-base/sweeper.js'
import type { TaskDefinition } from '../task-base/task-definition.js'

export interface DeliverOptions {
  readonly tasks: ReadonlyMap<string, TaskDefinition>
  readonly ports: ExecutionPorts
  /** Limits of tasks and calls that set none themselves. */
  readonly defaults: { readonly softTimeLimitMs: number | null; readonly timeLimitMs: number | null }
  /** How long a message waits in its place for the end of another run of its key to be written down; default 1 s. */
  readonly endPatienceMs?: number
}

const END_PATIENCE_MS = 1_000
/** A message of a task that this worker does not know waits for one that does. */
const UNKNOWN_PUT_BACK_MS = 30_000
const UNKNOWN_GIVE_UP_MS = 3_600_000

/** What a worker does with a delivered message; `bodyEnded` is told once another body may begin in its place. */
export type Deliver = (message: Message, bodyEnded?: () => void) => Promise<Verdict>

export function deliverTo(options: DeliverOptions): Deliver {
  const { tasks, ports, defaults, endPatienceMs = END_PATIENCE_MS } = options
  const endings = new Endings(endPatienceMs)
  return (message, bodyEnded = () => {}) => {
    const task = tasks.get(message.task)
    if (!task) return unknownTask(ports, message)
    const known = completed(task, message)
    if (known instanceof UsageError) {
      return endUnstarted(ports, message, { outcome: 'failed', code: 'BAD_ARGUMENTS', error: errorText(known) })
    }
    const bounds = boundsOf(message, task, defaults)
    const guarded = () => guardExecution(ports, { message: known, bounds, endings, bodyEnded })
    return message.lock.known ? guarded() : unlessEnded(ports, message, guarded)
  }
}

/** What the call says, else the task, else the worker. */
function boundsOf(message: Message, task: TaskDefinition, worker: DeliverOptions['defaults']): RunBounds {
  return {
    softTimeLimitMs: message.softTimeLimitMs ?? task.softTimeLimitMs ?? worker.softTimeLimitMs,
    timeLimitMs: message.timeLimitMs ?? task.timeLimitMs ?? worker.timeLimitMs,
    maxDeliveries: task.acksLate ? MAX_DELIVERIES : 1,
  }
}

/**
 * Under which keys a message's end may have been written: where its publisher did not know the task, under the private
 * key that it went by till then, or under the one that its worker computed.
 */
export function keysOf(tasks: DeliverOptions['tasks'], message: Message): LockKey[] {
  const task = tasks.get(message.task)
  if (message.lock.known || !task) return [message.lock.key]
  const known = completed(task, message)
  return known instanceof UsageError ? [message.lock.key] : [message.lock.key, known.lock.key]
}

/** Its caller knew no other key than the private one, and may have revoked it there. */
async function unlessEnded(ports: ExecutionPorts, message: Message, run: () => Promise<Verdict>): Promise<Verdict> {
  const { outcome } = await ports.store.find(message.id, message.lock.key)
  return outcome && outcome.round >= message.round ? acknowledge(ports, message, outcome) : run()
}

/** The message with what its publisher could not know. Why not, where its arguments give no key. */
function completed(task: TaskDefinition, message: Message): Message | UsageError {
  // As it came, where nothing is to be added: its text is then known too.
  if (message.lock.known && message.maxRetries !== null) return message
  const maxRetries = message.maxRetries ?? task.maxRetries
  if (message.lock.known) return { ...message, maxRetries }
  try {
    return { ...message, maxRetries, lock: lockAtDelivery(task, message) }
  } catch (error) {
    if (error instanceof UsageError) return error
    throw error
  }
}

async function unknownTask(ports: ExecutionPorts, message: Message): Promise<Verdict> {
  const giveUpAt = message.expiresAt ?? message.publishedAt + UNKNOWN_GIVE_UP_MS
  if (ports.now() < giveUpAt) {
    const about = { ...subject(message), worker: ports.worker }
    ports.events.emit('run:putBack', { ...about, why: 'unknown task', holder: null, delayMs: UNKNOWN_PUT_BACK_MS })
    return { verdict: 'putBack', delayMs: UNKNOWN_PUT_BACK_MS }
  }
  return endUnstarted(ports, message, { outcome: 'failed', code: 'UNKNOWN_TASK' })
}
