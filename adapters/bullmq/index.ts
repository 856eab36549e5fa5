import type { JobType, Queue } from 'bullmq'
import type { EngineState } from '../../src/lock/doubt.js'
import type { ConsumeOptions, Consumer, Engine, PurgeVisit } from '../../src/task-base/engine.js'
import { decodeMessage, type Message } from '../../src/task-base/message.js'
import type { ServerSource } from '../../src/task-base/redis-settings.js'
import type { AddJob } from './adding.js'
import { type Backend, COMMAND_TIMEOUT_MS, JOB_OPTIONS } from './backend.js'
import { startConsumer } from './consumer.js'
import { asBrokerError, asOpeningError, within } from './failure.js'
import { type JobData, jobData, messageOf } from './job.js'
import { jobId, jobName } from './names.js'
import { type PostgresOptions, postgresBackend } from './postgres-backend.js'
import { redisBackend } from './redis-backend.js'

/** Where the messages are kept. `server` is shown in errors: no credentials. */
export type EngineOptions = { readonly app: string; readonly server: string } & (
  | { readonly redis: { readonly url: ServerSource } }
  | { readonly postgres: PostgresOptions }
)

const STATES: Readonly<Record<string, EngineState>> = {
  waiting: 'waiting',
  prioritized: 'waiting',
  'waiting-children': 'waiting',
  paused: 'waiting',
  delayed: 'delayed',
  active: 'active',
  completed: 'finished',
}

/**
 * Messages on BullMQ, over Redis or over Postgres: the same code.
 * @throws BrokerUnavailable; UsageError where the server refuses the login or has no such database
 */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const { app, server } = options
  // What happens between commands is told by the commands that fail.
  const quiet = { app, trouble: () => undefined }
  const backend =
    'redis' in options
      ? redisBackend({ ...quiet, url: options.redis.url })
      : postgresBackend({ ...quiet, ...options.postgres })
  const engine = new BullEngine(server, backend)
  try {
    await backend.ready()
  } catch (error) {
    await engine.close()
    throw asOpeningError(server, error, backend)
  }
  return engine
}

/** States of a job that nobody has in hand. */
const IDLE = ['waiting', 'prioritized', 'delayed'] as const
const PURGED_AT_ONCE = 100

class BullEngine implements Engine {
  readonly #server: string
  readonly #backend: Backend
  readonly #queues = new Map<string, Promise<Queue<JobData>>>()
  readonly #adds = new WeakMap<Queue<JobData>, AddJob>()
  readonly #noted = new Set<string>()

  constructor(server: string, backend: Backend) {
    this.#server = server
    this.#backend = backend
  }

  publish(message: Message, { delayMs, head }: { delayMs: number; head: boolean }): Promise<void> {
    const { priority } = message
    const options = {
      ...JOB_OPTIONS,
      jobId: jobId(message.id, message.round),
      ...(delayMs > 0 ? { delay: Math.ceil(delayMs) } : {}),
      ...(priority === null ? {} : { priority }),
      ...(head && priority === null ? { lifo: true } : {}),
    }
    this.#note(message.queue)
    const job = { name: jobName(message), data: jobData(message), opts: options }
    return this.#ask(message.queue, (queue) => this.#adding(queue)(job))
  }

  /** A job that BullMQ holds for failed is queued again: only the lock's record knows whether its message has ended. */
  state(queue: string, messageId: string, round = 0): Promise<EngineState> {
    return this.#ask(queue, async (each) => {
      const id = jobId(messageId, round)
      const state = await each.getJobState(id)
      if (state !== 'failed') return STATES[state] ?? 'absent'
      const job = await each.getJob(id)
      await job?.retry('failed')
      return job ? 'waiting' : 'absent'
    })
  }

  peek(queue: string, messageId: string): Promise<Message | null> {
    return this.#ask(queue, async (each) => {
      const job = await each.getJob(jobId(messageId))
      return job ? decodeMessage(job.data.body) : null
    })
  }

  consume(options: ConsumeOptions): Promise<Consumer> {
    return startConsumer({ server: this.#server, backend: this.#backend, options })
  }

  counts(queue: string): Promise<{ waiting: number; delayed: number; active: number }> {
    return this.#ask(queue, async (each) => {
      const counts = await each.getJobCounts('waiting', 'prioritized', 'delayed', 'active')
      const of = (name: string): number => counts[name] ?? 0
      return { waiting: of('waiting') + of('prioritized'), delayed: of('delayed'), active: of('active') }
    })
  }

  delayed(queue: string, limit: number): Promise<readonly Message[]> {
    return this.#ask(queue, async (each) => {
      const jobs = await each.getJobs('delayed', 0, limit - 1, true)
      // One that has gone meanwhile is no job any more.
      const messages = jobs.map((job) => job && messageOf(job.data))
      return messages.filter((message): message is Message => message !== undefined && !(message instanceof Error))
    })
  }

  queues(): Promise<readonly string[]> {
    return this.#bounded(() => this.#backend.queues())
  }

  async purge(queue: string, visit: PurgeVisit): Promise<void> {
    for (const state of IDLE) await this.#purge(queue, state, visit)
  }

  /** As many jobs of one state as there are at the start. Others come and go meanwhile: places in the list say nothing. */
  async #purge(queue: string, state: JobType, { ended, removed }: PurgeVisit): Promise<void> {
    let left = await this.#ask(queue, async (each) => (await each.getJobCounts(state))[state] ?? 0)
    const staying = new Set<string>()
    for (let from = 0; left > 0; ) {
      const page = await this.#ask(queue, (each) => each.getJobs(state, from, from + PURGED_AT_ONCE - 1, true))
      if (page.length === 0) return
      // One that has gone meanwhile is no job any more.
      const jobs = page.filter((job) => job && !staying.has(job.id ?? ''))
      if (jobs.length === 0) from += page.length
      left -= jobs.length
      const over: { readonly id: string; readonly message: Message }[] = []
      await Promise.all(
        jobs.map(async ({ id = '', data }) => {
          const message = messageOf(data as JobData)
          // What is no message of ours, or of a version that others know, is theirs to judge.
          if (!(message instanceof Error) && (await ended(message))) over.push({ id, message })
          else staying.add(id)
        }),
      )
      const gone = await this.#ask(queue, (each) => Promise.all(over.map(({ id }) => each.remove(id))))
      await removed(over.filter((_, at) => gone[at] === 1).map(({ message }) => message))
    }
  }

  async destroy(queues: readonly string[]): Promise<void> {
    for (const queue of queues) await this.#ask(queue, (each) => each.obliterate({ force: true }))
  }

  async close(): Promise<void> {
    const closed = [...this.#queues.values()].map((opened) => opened.then((queue) => queue.close()))
    await within(COMMAND_TIMEOUT_MS, Promise.allSettled(closed)).catch(() => undefined)
    this.#queues.clear()
    await this.#backend.close()
  }

  /** Bounded in time: a reply that does not come is reported as such. */
  #ask<T>(name: string, question: (queue: Queue<JobData>) => Promise<T>): Promise<T> {
    return this.#bounded(() => this.#queue(name).then(question))
  }

  async #bounded<T>(ask: () => Promise<T>): Promise<T> {
    try {
      await this.#backend.ready()
      return await within(COMMAND_TIMEOUT_MS, ask())
    } catch (error) {
      throw asBrokerError(this.#server, error, this.#backend)
    }
  }

  /** Beside the first publish to each queue, which does not wait for it. */
  #note(queue: string): void {
    if (this.#noted.has(queue) || !this.#backend.note) return
    this.#noted.add(queue)
    this.#bounded(async () => this.#backend.note?.(queue)).catch(() => this.#noted.delete(queue))
  }

  #adding(queue: Queue<JobData>): AddJob {
    const add = this.#adds.get(queue) ?? this.#backend.adding(queue)
    this.#adds.set(queue, add)
    return add
  }

  /** A queue that did not get ready stays so for ever: the next call opens it anew. */
  #queue(name: string): Promise<Queue<JobData>> {
    const known = this.#queues.get(name)
    if (known) return known
    const queue = this.#backend.openQueue(this.#backend.queueName(name)) as Queue<JobData>
    const opened = queue.waitUntilReady().then(
      () => queue,
      async (error: unknown) => {
        this.#queues.delete(name)
        await queue.close().catch(() => undefined)
        throw error
      },
    )
    this.#queues.set(name, opened)
    return opened
  }
}
