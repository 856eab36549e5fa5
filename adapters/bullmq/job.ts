import { decodeMessage, encodeMessage, type Message } from '../../src/task-base/message.js'

/**
 * What a job carries. The message travels as one text: BullMQ's Postgres backend stores jsonb, which refuses `\u0000` and
 * reorders keys. The headers are for people who look into the queue.
 */
export interface JobData {
  readonly v: 1
  readonly h: { readonly id: string; readonly task: string; readonly label: string }
  readonly body: string
}

export function jobData(message: Message): JobData {
  const { id, task, lock } = message
  return { v: 1, h: { id, task, label: lock.label }, body: encodeMessage(message) }
}

/** What a job carries, or why it cannot be read: another program's job may carry anything. */
export function messageOf(data: JobData | null): Message | Error {
  try {
    return decodeMessage(data?.body ?? '')
  } catch (error) {
    return error as Error
  }
}
