import { type AskOptions, askWorkers, type Replies } from './ask-workers.js'
import type { Connection } from './connection.js'
import type {
  ActiveRun,
  LogLevel,
  ReservedMessage,
  ScheduledMessage,
  WorkerCommand,
  WorkerStats,
} from './worker-command.js'

/** Questions to workers; nothing is changed. */
export interface Inspect {
  /** What runs. */
  active(): Promise<Replies<readonly ActiveRun[]>>
  /** What is in their hands and has not begun. */
  reserved(): Promise<Replies<readonly ReservedMessage[]>>
  /** What waits for its time in their queues: the first 100 of each queue. */
  scheduled(): Promise<Replies<readonly ScheduledMessage[]>>
  /** The names of their tasks. */
  registered(): Promise<Replies<readonly string[]>>
  stats(): Promise<Replies<WorkerStats>>
  ping(): Promise<Replies<'pong'>>
}

/**
 * Asks and steers an app's workers, through the locks' server: who reaches that may command. A worker that is stopped, or
 * busy with nothing but itself, does not answer, and is told as `silent`; so are those of a question that gave way, where
 * more than 100 of an app are asked at once. On `memory:` these are workers of this process.
 */
export class Control {
  readonly #open: () => Promise<Connection>

  constructor(open: () => Promise<Connection>) {
    this.#open = open
  }

  inspect(options: AskOptions = {}): Inspect {
    const ask = <T>(what: Extract<WorkerCommand, { do: 'inspect' }>['what']) =>
      this.#ask<T>({ do: 'inspect', what }, options)
    return {
      active: () => ask('active'),
      reserved: () => ask('reserved'),
      scheduled: () => ask('scheduled'),
      registered: () => ask('registered'),
      stats: () => ask('stats'),
      ping: () => ask('ping'),
    }
  }

  ping(options: AskOptions = {}): Promise<Replies<'pong'>> {
    return this.inspect(options).ping()
  }

  /** More processes, `by` more in each worker. They are ready, and more messages are taken, before it answers. */
  grow(by: number, options: AskOptions = {}): Promise<Replies<{ readonly concurrency: number }>> {
    return this.#ask({ do: 'grow', by }, options)
  }

  /** Fewer processes: what runs is finished. At least one stays. */
  shrink(by: number, options: AskOptions = {}): Promise<Replies<{ readonly concurrency: number }>> {
    return this.#ask({ do: 'shrink', by }, options)
  }

  /** Workers serve one queue more, until they end. */
  addQueue(queue: string, options: AskOptions = {}): Promise<Replies<{ readonly queues: readonly string[] }>> {
    return this.#ask({ do: 'addQueue', queue }, options)
  }

  /** Workers take nothing more of a queue; what they have taken is finished. `served`: whether they did until now. */
  cancelQueue(
    queue: string,
    options: AskOptions = {},
  ): Promise<Replies<{ readonly queues: readonly string[]; readonly served: boolean }>> {
    return this.#ask({ do: 'cancelQueue', queue }, options)
  }

  /** Workers stop warm, as by SIGTERM. They answer before they do: with how many runs they wait for. */
  shutdown(options: AskOptions = {}): Promise<Replies<{ readonly running: number }>> {
    return this.#ask({ do: 'shutdown' }, options)
  }

  /** How much workers log, until they end; that of a beat inside (`-B`) stays. */
  logLevel(level: LogLevel, options: AskOptions = {}): Promise<Replies<{ readonly level: LogLevel }>> {
    return this.#ask({ do: 'logLevel', level }, options)
  }

  async #ask<T>(command: WorkerCommand, options: AskOptions): Promise<Replies<T>> {
    return askWorkers<T>((await this.#open()).store, command, options)
  }
}
