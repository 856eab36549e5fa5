import { UsageError } from '../lock/error.js'
import type { LockSpace } from '../lock/lock-store.js'
import { printable } from '../lock/printable.js'
import { attemptOf, type BodyVerdict } from './body.js'
import { errorText } from './carried-error.js'
import { decodeMessage, type Message } from './message.js'
import { verdictOnResult } from './returned.js'
import { requests, type TaskRequest } from './task.js'
import type { TaskDefinition } from './task-definition.js'
import { verdictOnThrown } from './thrown.js'

/** One run of a body, as a child's runner asks for it. */
export interface ExecuteRequest {
  readonly message: string
  readonly token: number | null
  readonly space: LockSpace
  readonly deliveries: number
  readonly retries: number
  /** How long the lease may still be trusted, ms. */
  readonly remainingMs: () => number
  readonly signal: AbortSignal
  readonly progress?: (progress: unknown) => void
  readonly log?: (level: 'info' | 'error', line: string) => void
}

/** Runs a body in this process and says how it ended. Never rejects for what the body does. */
export async function executeTask(
  find: (task: string) => TaskDefinition | undefined,
  request: ExecuteRequest,
): Promise<BodyVerdict> {
  try {
    const message = decodeMessage(request.message)
    const definition = find(message.task)
    if (!definition) throw new UsageError(`the child process does not know the task '${printable(message.task)}'.`)
    return await runBody(definition, message, request)
  } catch (error) {
    return { end: 'threw', error: errorText(error) }
  }
}

async function runBody(definition: TaskDefinition, message: Message, request: ExecuteRequest): Promise<BodyVerdict> {
  const task = definition.create()
  const taskRequest = requestOf(message, request)
  Object.defineProperty(task, 'request', { value: taskRequest })
  const run = task.run as (...args: unknown[]) => unknown
  let value: unknown
  try {
    value = await requests.run(taskRequest, async () => run.apply(task, [...message.args]))
  } catch (error) {
    return verdictOnThrown(definition.retry, request, error)
  }
  if (message.ignoreResult ?? definition.ignoreResult) return { end: 'returned', result: null }
  return verdictOnResult(value)
}

function requestOf(message: Message, request: ExecuteRequest): TaskRequest {
  const log = (level: 'info' | 'error') => (text: string) =>
    request.log?.(level, `${message.task}[${message.id}] ${printable(String(text))}`)
  const { token, space, remainingMs } = request
  return {
    id: message.id,
    attempt: attemptOf(request),
    headers: Object.freeze({ ...message.headers }),
    signal: request.signal,
    lock: message.lock.guarded && token !== null ? { key: message.lock.key, token, space, remainingMs } : undefined,
    log: { info: log('info'), error: log('error') },
    progress: (progress) => request.progress?.(progress),
  }
}
