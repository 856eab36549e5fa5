import type { Duration } from '../lock/duration.js'
import { createEmitter, type Emitter } from '../lock/emit.js'
import { UsageError } from '../lock/error.js'
import type { Examined } from '../lock/finding.js'
import type { GuardDefinition } from '../lock/guard-definition.js'
import { packageVersion } from '../lock/version.js'
import { type AppOptions, type AppSettings, readAppName, readAppOptions, readEntryName } from './app-options.js'
import { type AppOverrides, AppServers } from './app-servers.js'
import type { BodyVerdict } from './body.js'
import { buildMessage, type CallOptions, type CallTarget } from './call.js'
import { callerAnswer, tellCall } from './call-answer.js'
import { NO_TERMS } from './call-term.js'
import type { Connection } from './connection.js'
import { Control } from './control.js'
import { Counters, type Totals, totalsOf } from './counters.js'
import { DeadLetters } from './dead-letters.js'
import { DirectUse } from './direct.js'
import { type Entry, type PeriodicOptions, readEntry } from './entry.js'
import type { AppEvents } from './event.js'
import { type ExecuteRequest, executeTask } from './execute.js'
import { type FunctionTaskOptions, readFunctionTask } from './function-task.js'
import { Locks } from './locks.js'
import type { Message } from './message.js'
import type { Published } from './publish-guard.js'
import { createResult, type Result } from './result.js'
import { type Revocation, type RevokeOptions, revokeCall } from './revoke.js'
import type { Schedule } from './schedule.js'
import { Shared } from './shared.js'
import type { Task } from './task.js'
import { asGuardDefinition, guardTold, readTask, readTaskName, type TaskDefinition } from './task-definition.js'
import type { Signature, TaskHandle } from './task-handle.js'
import type { Args, Checked, Named } from './typed.js'

/** Where an app says which version of this package it is of. */
export const APP_VERSION = Symbol.for('beatlock.app')

/** Tasks, timetable and servers of one application. Reads its options once; connects at the first call. */
export class App {
  readonly name: string
  /** Lists, shows and clears this app's locks. */
  readonly locks: Locks
  /** Messages that were given up: listed, shown, queued again, discarded. */
  readonly deadLetters: DeadLetters
  /** Asks and steers this app's workers. */
  readonly control: Control
  /** Counters and flags that all processes of this app share. */
  readonly shared: Shared
  /** @internal */
  readonly settings: AppSettings
  /** @internal */
  readonly tasks = new Map<string, TaskDefinition>()
  readonly #events = createEmitter<AppEvents>()
  readonly #counters = new Counters(this.#events)
  readonly #entries: Map<string, Entry>
  readonly #configured: (() => void)[] = []
  readonly #direct: DirectUse
  readonly #servers: AppServers

  /** @throws UsageError that names the option, the value and the cure. */
  constructor(name: string, options: AppOptions = {}) {
    this.name = readAppName(name)
    this.settings = readAppOptions(this.name, options)
    this.#entries = new Map(this.settings.entries)
    const { settings } = this
    this.#servers = new AppServers({ app: this.name, settings, events: this.#events, counters: this.#counters })
    this.#direct = new DirectUse({
      open: () => this.connection(),
      events: this.#events,
      leaseMs: settings.leaseMs,
    })
    this.locks = new Locks(() => this.connection(), this.#direct)
    this.control = new Control(() => this.connection())
    this.deadLetters = new DeadLetters(
      () => this.connection(),
      (message) => this.publish(message),
    )
    this.shared = new Shared(async () => (await this.#servers.caller()).shared)
  }

  /** Makes a task known; answers how to call it. @throws UsageError for a name that is taken, and for bad fields. */
  register<T extends Task>(task: (new () => T) & Checked<T>): TaskHandle<Args<T>, Awaited<ReturnType<T['run']>>> {
    return this.#handle(this.#add(readTask(task)))
  }

  /** A task made of a function; the request is `currentRequest()`, or `this.request`. */
  task<A extends readonly unknown[], R, const P extends readonly string[] = readonly []>(
    name: string,
    options: FunctionTaskOptions<P, NoInfer<Named<[...A]> | P[number]>>,
    run: (this: Task, ...args: A) => R,
  ): TaskHandle<A, Awaited<R>> {
    return this.#handle(this.#add(readFunctionTask(name, options, run)))
  }

  /**
   * Adds a line to the timetable, with an entry's further options; answers its name (default: the task's).
   *
   * @throws UsageError for a name that is taken, and for unknown options.
   */
  addPeriodicTask(
    schedule: Schedule | Duration | string,
    signature: Signature,
    { name: given, ...options }: PeriodicOptions = {},
  ): string {
    const name = readEntryName(given ?? signature.task)
    if (this.#entries.has(name))
      throw new UsageError(`two beat entries are named '${name}'; give one of them another name.`)
    const { task, args } = signature
    this.#entries.set(name, readEntry(name, { ...options, task, args, schedule }))
    return name
  }

  /** Runs `configure` once all modules are loaded, before anything starts: the place for `addPeriodicTask`. */
  onAfterConfigure(configure: () => void): void {
    this.#configured.push(configure)
  }

  /**
   * Calls a task by its name, also one whose code is elsewhere: it is guarded by what its workers have told of it, or at
   * delivery.
   */
  async sendTask<R = unknown>(
    name: string,
    args: readonly unknown[] = [],
    options: CallOptions = {},
  ): Promise<Result<R>> {
    readTaskName(name, 'sendTask: name')
    const known = this.tasks.get(name)
    return this.#call(known ?? (await this.#remoteTarget(name)), args, options)
  }

  /**
   * Takes a call back: waiting, delayed or parked it never runs, running it is stopped only with `terminate`: its signal is
   * aborted, its process killed a second later. `call`: its result, or its id; by id alone it is found on the locks' server,
   * else in the queues that live workers serve; a call without a lock that waits elsewhere needs its `task`.
   */
  async revoke(call: string | Result<unknown>, options: RevokeOptions = {}): Promise<Revocation> {
    const queues = ['default', ...[...this.tasks.values()].flatMap(({ queue }) => queue ?? [])]
    const answer = await revokeCall(await this.connection(), call, { ...options, queues })
    const id = typeof call === 'string' ? call : call.id
    this.#events.emit('call:revoked', { id, outcome: answer.outcome })
    return answer
  }

  /** What this process has counted since it started, by task: outcomes, and attempts of stale owners. */
  counters(): Totals {
    return this.#counters.totals()
  }

  /** What all processes of the app have counted: each adds to it every 5 s, and at its close. */
  async totals(): Promise<Totals> {
    const { store } = await this.connection()
    return totalsOf(await store.counts.read({ allApps: false }))
  }

  /** Calls `listener` for each event of that name; answers how to stop. */
  on<Name extends keyof AppEvents>(name: Name, listener: (event: AppEvents[Name]) => void): () => void {
    return this.#events.on(name, listener)
  }

  /**
   * Sends what is still under way, waits for code that runs under this app's locks (no further one begins meanwhile), and
   * lets go of the servers. The app can be used again after it.
   */
  async close(): Promise<void> {
    await this.#direct.close()
    await this.#servers.close()
  }

  /** @internal Also tells an app of another copy of this package. */
  get [APP_VERSION](): string {
    return packageVersion()
  }

  /** @internal */
  get events(): Emitter<AppEvents> {
    return this.#events
  }

  /** @internal */
  get entries(): ReadonlyMap<string, Entry> {
    return this.#entries
  }

  /** @internal What worker, beat and commands were told; before the first connection. */
  override(overrides: AppOverrides): void {
    this.#servers.override(overrides)
  }

  /** @internal Called once, when the app's modules are loaded. */
  configure(): void {
    for (const configure of this.#configured.splice(0)) configure()
  }

  /** @internal The app's servers, connected once. A failed attempt is not kept. */
  connection(): Promise<Connection> {
    return this.#servers.connection()
  }

  /** @internal What the servers' settings mean. */
  examine(): Promise<readonly Examined[]> {
    return this.#servers.examine()
  }

  /** @internal Runs a body in this process. */
  execute(request: ExecuteRequest): Promise<BodyVerdict> {
    return executeTask((task) => this.tasks.get(task), request)
  }

  /** @internal The message of a call, without sending it. @throws UsageError */
  async message(target: CallTarget, args: readonly unknown[], options: CallOptions): Promise<Message> {
    const { router, resultMs } = this.settings
    const context = { app: this.name, router, resultMs }
    const at = (now: number): Message => buildMessage(target, args, options, { ...context, now })
    const { known } = this.#servers
    if (known) return at(known.now())
    // Judged before anything is connected: bad input must not start a server.
    at(Date.now())
    return at((await this.#servers.caller()).now())
  }

  /** @internal One call through the publish guard. */
  async publish(message: Message): Promise<Published> {
    const answer = await (await this.#servers.caller()).publish(message)
    tellCall(this.#events, message, answer)
    return answer
  }

  /** @internal What a call by name is guarded by. */
  async targetOf(name: string): Promise<CallTarget> {
    return this.tasks.get(name) ?? this.#remoteTarget(name)
  }

  /** @internal What this app's workers tell publishers. */
  guardDefinitions(): Record<string, GuardDefinition | null> {
    const told = [...this.tasks.values()].map(
      (task) => [task.name, task.guard ? asGuardDefinition(task, task.guard) : null] as const,
    )
    return Object.fromEntries(told)
  }

  /** @internal */
  result<R>(id: string): Result<R> {
    return createResult<R>(() => this.#servers.caller(), { id, key: null, outcome: 'published', holder: undefined })
  }

  #add(definition: TaskDefinition): TaskDefinition {
    if (this.tasks.has(definition.name)) {
      throw new UsageError(
        `two tasks are named '${definition.name}' in app '${this.name}'; give one of them another name.`,
      )
    }
    this.tasks.set(definition.name, definition)
    return definition
  }

  #handle<A extends readonly unknown[], R>(definition: TaskDefinition): TaskHandle<A, R> {
    const { name } = definition
    return {
      name,
      delay: (...args) => this.#call<R>(definition, args, {}),
      applyAsync: (args, options = {}) => this.#call<R>(definition, args, options),
      s: (...args) => ({ task: name, args }),
    }
  }

  async #call<R>(target: CallTarget, args: readonly unknown[], options: CallOptions): Promise<Result<R>> {
    const message = await this.message(target, args, options)
    const answer = await this.publish(message)
    return createResult<R>(() => this.#servers.caller(), callerAnswer(message, answer))
  }

  async #remoteTarget(name: string): Promise<CallTarget> {
    const definition = await (await this.#servers.caller()).definition(name)
    const guard = definition && !definition.opaque ? guardTold(definition) : undefined
    return {
      name,
      params: definition?.params ?? null,
      defaults: definition?.defaults ?? null,
      guard,
      maxRetries: null,
      ...NO_TERMS,
    }
  }
}
