import { type ConnectOptions, connect, examine } from '../connect.js'
import type { Emitter } from '../lock/emit.js'
import { UsageError } from '../lock/error.js'
import type { Examined } from '../lock/finding.js'
import type { AppSettings } from './app-options.js'
import { type Caller, type Connection, openConnection } from './connection.js'
import type { Counters } from './counters.js'
import type { AppEvents } from './event.js'
import type { ServerSource } from './redis-settings.js'

/** What worker, beat and commands set over what the code says. */
export interface AppOverrides {
  readonly broker?: ServerSource
  readonly locks?: ServerSource
  /** `file:PATH` of the timetable, where it is not on the locks' server. */
  readonly schedule?: string
  /** Folder of a bare `embedded:`. */
  readonly embeddedDir?: string
  readonly mayStart?: boolean
  /** Calls go through the parent process, which has the servers. */
  readonly caller?: Caller
}

interface Parts {
  readonly app: string
  readonly settings: AppSettings
  readonly events: Emitter<AppEvents>
  readonly counters: Counters
}

/** The servers of an app: connected at the first call and once, let go of at its close, to be used again after it. */
export class AppServers {
  readonly #of: Parts
  #overrides: AppOverrides = {}
  #connection: Promise<Connection> | undefined
  /** The connection once it stands. */
  #open: Connection | undefined

  constructor(of: Parts) {
    this.#of = of
  }

  /** Before the first connection. */
  override(overrides: AppOverrides): void {
    this.#overrides = { ...this.#overrides, ...overrides }
  }

  /** Whom calls go through, if that takes no connecting. */
  get known(): Caller | undefined {
    return this.#overrides.caller ?? this.#open
  }

  async caller(): Promise<Caller> {
    return this.#overrides.caller ?? this.connection()
  }

  /** A failed attempt is not kept. @throws UsageError where calls go through another process */
  connection(): Promise<Connection> {
    if (this.#overrides.caller)
      throw new UsageError(
        'locks and workers are looked at from the worker or a command, not from inside a task on memory:.',
      )
    this.#connection ??= this.#remembered(this.#connect())
    return this.#connection
  }

  /** What the servers' settings mean; connects to nothing for good. @throws UsageError for a bad URL. */
  examine(): Promise<readonly Examined[]> {
    return examine(this.#places())
  }

  async close(): Promise<void> {
    const open = this.#connection
    this.#connection = undefined
    this.#open = undefined
    await (await open?.catch(() => undefined))?.close()
  }

  #remembered(connecting: Promise<Connection>): Promise<Connection> {
    const connection = connecting.then(
      (open) => {
        // It may have been closed meanwhile.
        if (this.#connection === connection) this.#open = open
        return open
      },
      (error: unknown) => {
        this.#connection = undefined
        throw error
      },
    )
    return connection
  }

  async #connect(): Promise<Connection> {
    const { settings, events, counters } = this.#of
    const servers = await connect(this.#places())
    return openConnection(servers, { resultMs: settings.resultMs, events, counters })
  }

  #places(): ConnectOptions {
    const { app, settings, events } = this.#of
    const { broker, locksUrl, barrier, waitReplicas } = settings
    const { broker: flag, locks, schedule, embeddedDir, mayStart } = this.#overrides
    return {
      app,
      broker: flag ?? broker,
      locks: locks ?? locksUrl,
      barrier,
      ...(waitReplicas ? { waitReplicas } : {}),
      embeddedDir,
      schedule,
      mayStart: mayStart ?? true,
      trouble: (error) => events.emit('trouble', { where: 'server', error }),
    }
  }
}
