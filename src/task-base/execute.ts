import { parseDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import { printable } from '../lock/printable.js'
import { attemptOf, type BodyVerdict } from './body.js'
import { MAX_PAYLOAD_BYTES } from './call.js'
import { errorText } from './carried-error.js'
import { decodeMessage, type Message } from './message.js'
import { RetryRequested, requests, type TaskRequest } from './task.js'
import type { TaskDefinition } from './task-definition.js'

/** One run of a body, as a child's runner asks for it. */
export interface ExecuteRequest {
  readonly message: string
  readonly token: number | null
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
    const task = definition.create()
    const taskRequest = requestOf(message, request)
    Object.defineProperty(task, 'request', { value: taskRequest })
    const run = task.run as (...args: unknown[]) => unknown
    const value = await requests.run(taskRequest, async () => run.apply(task, [...message.args]))
    return { end: 'returned', result: resultText(value) }
  } catch (error) {
    return error instanceof RetryRequested ? retryOf(error) : { end: 'threw', error: errorText(error) }
  }
}

function requestOf(message: Message, request: ExecuteRequest): TaskRequest {
  const log = (level: 'info' | 'error') => (text: string) =>
    request.log?.(level, `${message.task}[${message.id}] ${printable(String(text))}`)
  const { token, remainingMs } = request
  return {
    id: message.id,
    attempt: attemptOf(request),
    headers: Object.freeze({ ...message.headers }),
    signal: request.signal,
    lock: message.lock.guarded && token !== null ? { key: message.lock.key, token, remainingMs } : undefined,
    log: { info: log('info'), error: log('error') },
    progress: (progress) => request.progress?.(progress),
  }
}

/** @throws TypeError for what JSON cannot hold at all: BigInt, cycles; RangeError for what no server should. */
function resultText(value: unknown): string | null {
  const text = JSON.stringify(value) ?? null
  const bytes = text === null ? 0 : Buffer.byteLength(text)
  if (bytes <= MAX_PAYLOAD_BYTES) return text
  throw new RangeError(
    `the result takes ${bytes} bytes, more than ${MAX_PAYLOAD_BYTES}; store it and return its place.`,
  )
}

function retryOf(error: RetryRequested): BodyVerdict {
  try {
    const countdownMs = parseDuration(error.countdown, 'retry: countdown')
    return { end: 'retry', countdownMs, error: error.cause === undefined ? null : errorText(error.cause) }
  } catch (bad) {
    return { end: 'threw', error: errorText(bad) }
  }
}
