import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { DelayedError, type Job, WaitingError, Worker } from 'bullmq'
import { UsageError } from '../../src/lock/error.js'
import type { ConsumeOptions, Consumer, Delivery, Verdict } from '../../src/task-base/engine.js'
import { type Backend, COMMAND_TIMEOUT_MS, type ConsumerBackend } from './backend.js'
import { asBrokerError, isTakenAway, within } from './failure.js'
import { Hands } from './hands.js'
import { type JobData, messageOf } from './job.js'
import { throttled } from './trouble.js'

type ParcelJob = Job<JobData, null>
type ParcelWorker = Worker<JobData, null>

interface Consuming {
  readonly server: string
  readonly backend: Backend
  readonly options: ConsumeOptions
}

/** For a delivery whose processing rejected, as the port says. */
const REJECTED: Verdict = { verdict: 'putBack', delayMs: 5_000 }
/** A message of a version, or of a program, that this process does not know: another may. */
const UNKNOWN_PUT_BACK_MS = 30_000
const UNREADABLE_GIVE_UP_MS = 3_600_000
/** BullMQ fails a job that stalls more often than this without calling anyone; our record counts deliveries itself. */
const NEVER = 1_000_000_000
/** Seconds an idle worker blocks before it looks again: its wake-up for a delayed job is sometimes missed (measured). */
const IDLE_LOOK_S = 0.5
/** Between two tries after the server was away; BullMQ's own 15 s would leave a restarted server idle. */
const RETRY_MS = 500
/** @throws what the connection failed with, within the time of a command */
export async function startConsumer(consuming: Consuming): Promise<Consumer> {
  const consumer = new BullConsumer(consuming)
  try {
    await within(COMMAND_TIMEOUT_MS, consumer.ready())
    return consumer
  } catch (error) {
    await consumer.close('now')
    throw asBrokerError(consuming.server, error, consuming.backend)
  }
}

/**
 * One BullMQ worker a queue, in its processor form: the promise we settle is the acknowledgement, and BullMQ renews its
 * own job lock meanwhile. Its job lock is a redelivery timer only: the lock's record decides what runs.
 */
class BullConsumer implements Consumer {
  readonly #options: ConsumeOptions
  readonly #trouble: (error: Error) => void
  readonly #hands: Hands
  readonly #consuming: Consuming
  readonly #connection: ConsumerBackend
  /** By queue. */
  readonly #workers = new Map<string, ParcelWorker>()
  /** Of queues that were cancelled: they finish what they have. */
  readonly #leaving = new Set<ParcelWorker>()
  /** Aborted: the connections end, nothing more is told to the engine. */
  readonly #gone = new AbortController()
  #closed: Promise<void> | undefined

  constructor(consuming: Consuming) {
    const { server, backend, options } = consuming
    this.#consuming = consuming
    this.#options = options
    const told = throttled((error) => options.trouble(asBrokerError(server, error, backend) as Error))
    this.#trouble = (error) => void (isTakenAway(error) || told(error))
    this.#hands = new Hands(options.concurrency, (width) => this.#setWidth(width))
    this.#connection = backend.openConsumer(options.queues.length)
    for (const queue of options.queues) this.#workers.set(queue, this.#listen(queue))
  }

  async ready(): Promise<void> {
    await this.#each((worker) => worker.waitUntilReady())
  }

  async pause(): Promise<void> {
    this.#hands.close()
    await this.#each((worker) => worker.pause(true))
  }

  async resume(): Promise<void> {
    if (this.#closed) return
    this.#hands.open()
    // BullMQ's loop that ends on its pause hears nothing from its last look to its end, which is within one turn.
    await turn()
    if (!this.#hands.closed) await this.#each(async (worker) => worker.resume())
  }

  async resize(concurrency: number): Promise<void> {
    this.#hands.resize(concurrency)
    this.#setWidth(this.#hands.width)
    if (this.#closed || this.#hands.closed) return
    // A loop that is full looks at its bound again when a job ends, or when it is resumed.
    await this.#each((worker) => worker.pause(true))
    if (!this.#hands.closed) await this.resume()
  }

  async addQueue(queue: string): Promise<void> {
    if (this.#closed || this.#workers.has(queue)) return
    this.#connection.makeRoom?.(this.#workers.size + this.#leaving.size + 1)
    const worker = this.#listen(queue)
    this.#workers.set(queue, worker)
    try {
      await within(COMMAND_TIMEOUT_MS, worker.waitUntilReady())
    } catch (error) {
      await this.cancelQueue(queue)
      throw asBrokerError(this.#consuming.server, error, this.#consuming.backend)
    }
    if (this.#hands.closed) await worker.pause(true)
  }

  async cancelQueue(queue: string): Promise<void> {
    const worker = this.#workers.get(queue)
    if (!worker || this.#closed) return
    this.#workers.delete(queue)
    this.#leaving.add(worker)
    await worker.pause(true)
    // Nobody else is kept waiting for what it has taken; the consumer's own end waits for it.
    const left = worker.close().catch(this.#trouble)
    void left.then(() => !this.#closed && this.#leaving.delete(worker))
  }

  /** Told `now` while it finishes, it leaves what is under way. */
  close(how: 'finish' | 'now'): Promise<void> {
    if (how === 'now') this.#gone.abort()
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    const { signal } = this.#gone
    this.#hands.close()
    const all = [...this.#workers.values(), ...this.#leaving]
    const workers = Promise.all(all.map((worker) => worker.close(signal.aborted)))
    if (signal.aborted) for (const worker of all) this.#connection.endWait?.(worker)
    const left = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    await (signal.aborted ? settledWithin(COMMAND_TIMEOUT_MS, workers) : Promise.race([workers, left]))
    if (signal.aborted) for (const worker of all) await endRenewal(worker)
    await this.#connection.close()
  }

  async #each(act: (worker: ParcelWorker) => Promise<unknown>): Promise<void> {
    await Promise.all([...this.#workers.values()].map(act))
  }

  #listen(queue: string): ParcelWorker {
    const { redeliverAfterMs, acknowledged } = this.#options
    const { backend } = this.#consuming
    const settings = {
      ...this.#connection.options,
      concurrency: this.#hands.width,
      lockDuration: redeliverAfterMs,
      stalledInterval: Math.max(250, Math.floor(redeliverAfterMs / 3)),
      maxStalledCount: NEVER,
      drainDelay: IDLE_LOOK_S,
      runRetryDelay: RETRY_MS,
    }
    const process = (job: ParcelJob, token?: string): Promise<null> =>
      this.#leaving.has(worker) ? this.#giveBack(job, token) : this.#process(job, token)
    // Its type is of a Worker's backend on Redis, also where the factory makes the one on Postgres.
    const worker: ParcelWorker = new Worker(
      backend.queueName(queue),
      process,
      settings,
      this.#connection.factory as never,
    )
    worker.on('error', this.#trouble)
    worker.on('completed', (job) => {
      const message = messageOf(job.data)
      if (!(message instanceof Error)) acknowledged(message)
    })
    // Should BullMQ ever give a job up by its own rules, it goes back: what ends a message is in the lock's record.
    worker.on('failed', (job, error) => {
      this.#trouble(error)
      job?.retry('failed').catch(this.#trouble)
    })
    return worker
  }

  /** Ends in null, which acknowledges, or in BullMQ's mark for "moved already": anything else would fail the job. */
  async #process(job: ParcelJob, token: string | undefined): Promise<null> {
    const message = messageOf(job.data)
    if (message instanceof Error) return this.#leave(job, token, message)
    // A worker that waited for work when it was paused takes one more all the same.
    const free = await this.#hands.take()
    if (!free) return this.#giveBack(job, token)
    const verdict = await this.#deliver({ message, free })
    free()
    return verdict.verdict === 'ack' ? null : this.#putBack(job, token, verdict.delayMs)
  }

  /** BullMQ counts what waits for a place, or for its end to be written down, as it does what runs. */
  #setWidth(width: number): void {
    for (const worker of this.#workers.values()) worker.concurrency = width
  }

  /** For a worker that can read it. What no version could is dropped in the end. */
  async #leave(job: ParcelJob, token: string | undefined, error: Error): Promise<null> {
    const version = error instanceof UsageError && error.data['version'] !== undefined
    const drop = !version && Date.now() - job.timestamp > UNREADABLE_GIVE_UP_MS
    const then = drop ? 'dropped, since nobody could read it for an hour' : 'put back'
    this.#trouble(new Error(`job ${job.id} of queue ${job.queueName} is ${then}: ${error.message}`, { cause: error }))
    return drop ? null : this.#putBack(job, token, UNKNOWN_PUT_BACK_MS)
  }

  async #deliver(delivery: Delivery): Promise<Verdict> {
    try {
      return await this.#options.deliver(delivery)
    } catch (error) {
      this.#trouble(error as Error)
      return REJECTED
    }
  }

  async #putBack(job: ParcelJob, token: string | undefined, delayMs: number): Promise<never> {
    await this.#untilMoved(() => job.moveToDelayed(Date.now() + Math.max(1, Math.ceil(delayMs)), token))
    throw new DelayedError()
  }

  async #giveBack(job: ParcelJob, token: string | undefined): Promise<never> {
    await this.#untilMoved(() => job.moveToWait(token))
    throw new WaitingError()
  }

  /** Tried for as long as the job's lock may last. A job that could not be moved comes again by itself after that. */
  async #untilMoved(move: () => Promise<unknown>): Promise<void> {
    const deadline = performance.now() + this.#options.redeliverAfterMs
    const { signal } = this.#gone
    while (!signal.aborted && performance.now() < deadline) {
      try {
        await move()
        return
      } catch (error) {
        if (isTakenAway(error)) return
        this.#trouble(error as Error)
      }
      await sleep(RETRY_MS, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }
}

/** BullMQ does so only after its loop has ended, which it may never do while the server is away. What is left is not renewed. */
async function endRenewal(worker: ParcelWorker): Promise<void> {
  await (worker as unknown as { lockManager?: { close(): Promise<void> } }).lockManager?.close()
}

async function settledWithin(ms: number, promise: Promise<unknown>): Promise<void> {
  await within(ms, promise).catch(() => undefined)
}
