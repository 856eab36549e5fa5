import type { App } from '../../src/index.js'
import { UsageError } from '../../src/lock/error.js'
import { suggest } from '../../src/lock/suggest.js'
import type { BodyRequest, BodyVerdict } from '../../src/task-base/body.js'
import { carriedError } from '../../src/task-base/carried-error.js'
import type { Connection } from '../../src/task-base/connection.js'
import { type HolderInfo, holderInfo } from '../../src/task-base/error.js'
import type { Message } from '../../src/task-base/message.js'
import type { ExecutionPorts } from '../../src/task-base/run.js'
import { publishPromotion } from '../../src/task-base/sweeper.js'
import { deliverTo } from '../../src/worker/deliver.js'

export interface RunTaskOptions {
  /** Aborts the body's own signal, as a lost lock or a soft limit would. */
  readonly signal?: AbortSignal
}

/** How a run ended. Values and errors as they travel: through JSON. */
export type TaskRun<R> = TaskOutcome<R> & RunNotes

export type TaskOutcome<R> =
  | { readonly outcome: 'ran'; readonly value: R }
  | { readonly outcome: 'failed'; readonly value?: undefined; readonly error: Error }
  /** The task asked to run again, after so many ms. */
  | {
      readonly outcome: 'retried'
      readonly value?: undefined
      readonly countdownMs: number
      readonly error: Error | null
    }
  /** Another run has the key. Nothing ran; what was parked has been taken back. */
  | {
      readonly outcome: 'rejected' | 'parked' | 'coalesced'
      readonly value?: undefined
      readonly holder: HolderInfo | undefined
    }

export interface RunNotes {
  /** The fencing token it ran under; null where nothing ran. */
  readonly token: number | null
  /** What it told with `this.request.progress()`. */
  readonly progress: readonly unknown[]
  /** What it wrote with `this.request.log`. */
  readonly log: readonly string[]
}

/** Longer than any test: no keeper renews here. */
const LEASE_MS = 3_600_000

/**
 * Runs one task in this process, under its lock, and says what came of it: for unit tests of tasks. Arguments are
 * checked and bound, the key is taken and given back, and the request is made as in a worker; but there is no other
 * process, no time limit, and no second try.
 *
 * The app is set to `memory:`, whatever broker its code names. Calls that the body makes wait there and do not run. Call
 * `app.close()` at the end.
 *
 * @throws UsageError for an unknown task, bad arguments, or an app that is connected to a server.
 * @example const { outcome, value } = await runTask(app, 'feeds.refresh', [{ feedId: 7 }])
 */
export async function runTask<R = unknown>(
  app: App,
  name: string,
  args: readonly unknown[] = [],
  options: RunTaskOptions = {},
): Promise<TaskRun<R>> {
  const target = app.tasks.get(name)
  if (!target)
    throw new UsageError(`app '${app.name}' has no task '${name}'${suggest(name, [...app.tasks.keys()]) || '.'}`)
  const connection = await inMemory(app)
  const message = await app.message(target, args, {})
  const published = await app.publish(message)
  const notes: Noted = { token: null, progress: [], log: [] }
  if (published.outcome === 'refused') return { ...notes, outcome: 'rejected', holder: holderInfo(published.holder) }
  if (published.outcome === 'parked' || published.outcome === 'coalesced') {
    await app.revoke(message.id)
    return { ...notes, outcome: published.outcome, holder: holderInfo(published.behind) }
  }
  return { ...(await deliver<R>({ app, connection, message, notes, options })), ...notes }
}

interface Noted {
  token: number | null
  readonly progress: unknown[]
  readonly log: string[]
}

async function inMemory(app: App): Promise<Connection> {
  app.override({ broker: 'memory:', locks: 'memory:' })
  const connection = await app.connection()
  const { broker } = connection.servers
  if (broker.startsWith('memory:')) return connection
  throw new UsageError(`runTask() runs on memory:, and app '${app.name}' is connected to ${broker}: close it first.`)
}

interface Delivery {
  readonly app: App
  readonly connection: Connection
  readonly message: Message
  readonly notes: Noted
  readonly options: RunTaskOptions
}

async function deliver<R>(delivery: Delivery): Promise<TaskOutcome<R>> {
  const { app, message, notes, options } = delivery
  let ended: BodyVerdict | undefined
  let holder: HolderInfo | undefined
  const run = async (body: BodyRequest): Promise<BodyVerdict> => {
    notes.token = body.token
    ended = await app.execute({
      ...body,
      remainingMs: () => LEASE_MS,
      signal: options.signal ?? new AbortController().signal,
      progress: (progress) => notes.progress.push(progress),
      log: (_, line) => notes.log.push(line),
    })
    return ended
  }
  const deaf = app.on('run:putBack', (event) => {
    if (event.id === message.id && event.holder) holder = holderInfo(event.holder)
  })
  const { verdict } = await deliverTo({
    tasks: app.tasks,
    defaults: { softTimeLimitMs: null, timeLimitMs: null },
    ports: portsOf(delivery, run),
  })(message).finally(deaf)
  // Put back or asked to run again, it would hold its key for ever: nobody delivers it.
  if (verdict === 'putBack' || ended?.end === 'retry') await app.revoke(message.id, { task: message.task })
  return ended ? outcomeOf<R>(ended) : { outcome: verdict === 'putBack' ? 'parked' : 'rejected', holder }
}

function portsOf({ app, connection }: Delivery, run: ExecutionPorts['run']): ExecutionPorts {
  return {
    store: connection.store,
    barrier: undefined,
    hold: ({ sentAtNs }) => sentAtNs + BigInt(LEASE_MS) * 1_000_000n,
    drop: () => {},
    run,
    promote: (promotion) => publishPromotion(connection.sweep, promotion),
    now: connection.now,
    events: app.events,
    worker: 'runTask',
    leaseMs: LEASE_MS,
    lockDelayMs: 0,
    signal: new AbortController().signal,
  }
}

function outcomeOf<R>(verdict: BodyVerdict): TaskOutcome<R> {
  switch (verdict.end) {
    case 'returned':
      return { outcome: 'ran', value: (verdict.result === null ? undefined : JSON.parse(verdict.result)) as R }
    case 'threw':
      return { outcome: 'failed', error: carriedError(verdict.error) }
    case 'retry': {
      const error = verdict.error === null ? null : carriedError(verdict.error)
      return { outcome: 'retried', countdownMs: verdict.countdownMs, error }
    }
  }
}
