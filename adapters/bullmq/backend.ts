import type { createPostgresBackend, Queue, QueueOptions, Worker, WorkerOptions } from 'bullmq'
import type { AddJob } from './adding.js'
import type { JobData } from './job.js'

/** The arguments after the queue's name, for `Queue` and `Worker` alike: where BullMQ keeps its jobs. */
export interface Backend {
  readonly over: 'tls' | 'plain'
  /** What somebody has to mend of the server, for errors that nothing else helps. */
  readonly cureOf?: (error: unknown) => string | undefined
  /** The queue's name as BullMQ has it. */
  queueName(queue: string): string
  /** Opens a queue for publishing and looking; its commands are bounded in time. */
  openQueue(queue: string): Queue
  /** How jobs are added to a queue that was opened here. */
  adding(queue: Queue<JobData>): AddJob
  /** What a `Worker` is opened with, and how its connection is closed after it. */
  openConsumer(queues: number): ConsumerBackend
  /** Remembers that a queue is used, where BullMQ has no list of them. */
  note?(queue: string): Promise<void>
  /** Queues of this app that were used. */
  queues(): Promise<string[]>
  /** Waits, bounded, until the publishing connection can be used. @throws what the connection failed with */
  ready(): Promise<void>
  close(): Promise<void>
}

export interface ConsumerBackend {
  readonly options: Pick<WorkerOptions, 'connection' | 'prefix'>
  /** Undefined: BullMQ's default, Redis. */
  readonly factory: typeof createPostgresBackend | undefined
  /** So many queues are consumed from now on. */
  makeRoom?(queues: number): void
  /** Ends the wait for work that a forced close of the worker leaves behind. */
  endWait?(worker: Worker): void
  close(): Promise<void>
}

/**
 * Jobs are ours to repeat, and go with their end: adding the id of a kept one would be a silent no-op, though its caller
 * may call anew. The lock's record tells a late repeat. A failed one stays, since it is queued again (see `state`).
 */
export const JOB_OPTIONS = {
  attempts: 1,
  removeOnComplete: true,
  removeOnFail: false,
} satisfies QueueOptions['defaultJobOptions']

/** Below the publish lease: a publish that is not answered by then is reported as unknown. */
export const COMMAND_TIMEOUT_MS = 5_000
/** How long a lost connection may take to come back before a command is given up. */
export const READY_MS = 2_000
