import type { Message } from '../../src/task-base/message.js'

/**
 * The job id of a message. Slots' ids (`b-…`) go as they are; all others get a prefix, since BullMQ refuses ids of digits
 * only. A later round is a job of its own: adding the id of one that BullMQ still knows is a silent no-op.
 */
export function jobId(messageId: string, round = 0): string {
  if (round > 0) return `r${round}-${messageId}`
  return messageId.startsWith('b-') ? messageId : `m-${messageId}`
}

/** BullMQ's prefix on Redis: the app's name as hash tag, so that a queue's keys share a slot. */
export function redisPrefix(app: string): string {
  return `{${app}}`
}

/**
 * Postgres queues share one schema: the app's name is in the queue's. Its dots are doubled, or queue `c` of app `a.b`
 * would be queue `b.c` of app `a`; no queue's name begins with one.
 */
export function postgresQueue(app: string, queue: string): string {
  return `${app.replaceAll('.', '..')}.${queue}`
}

/** For people who look into the queue with BullMQ's own tools. */
export function jobName(message: Message): string {
  return message.task
}
