import type { Barrier, RunBarrier } from '../lock/barrier.js'
import { type Feed, type Keeper, startKeeper } from '../lock/keeper.js'
import { lockDelayMs } from '../lock/trust.js'
import type { WorkerRow } from '../lock/worker-row.js'
import type { App } from '../task-base/app.js'
import type { Connection } from '../task-base/connection.js'
import type { Consumer } from '../task-base/engine.js'
import { publishPromotion, type Sweeper, startSweeper } from '../task-base/sweeper.js'
import type { Autoscale } from '../task-base/worker-options.js'
import { autoscale } from './autoscale.js'
import { answerCaller } from './caller-line.js'
import { type Capacity, capacityOf } from './capacity.js'
import { deliverTo, keysOf } from './deliver.js'
import { joinFleet } from './fleet.js'
import type { LookOut } from './look-out.js'
import { followLosses } from './loss.js'
import type { Steering } from './obey.js'
import type { Pool } from './pool.js'
import { PreforkPool } from './prefork-pool.js'
import type { Recycling } from './recycle.js'
import { ownRow, rowOf } from './row.js'
import { followServing } from './serving.js'
import { SoloPool } from './solo-pool.js'
import { type OnStep, takeSteps } from './start-step.js'
import { endConsumer, everyStep } from './stop.js'
import type { TaskRunnerSpec } from './task-runner.js'
import { tellGuards } from './tell-guards.js'
import { UnderWay } from './under-way.js'

export interface WorkerOptions {
  /** Loaded by `loadApp`, with its overrides. */
  readonly app: App
  /** Path of the app's module, for the children. */
  readonly module: string
  /** Unique within the app: operators see it as the holder's worker. */
  readonly name: string
  readonly concurrency: number
  readonly pool: 'prefork' | 'solo'
  readonly queues: readonly string[]
  /** Bounds of tasks that set none themselves, ms. */
  readonly softTimeLimitMs: number | null
  readonly timeLimitMs: number | null
  readonly onStep?: OnStep
  /** What commands may have this process do; undefined: they are refused it. */
  readonly steering?: Steering
  /** When children are replaced. Default: what the app says. */
  readonly recycling?: Recycling
  /** Lets the number of children, at first `concurrency`, follow the load between these bounds. */
  readonly autoscale?: Autoscale | undefined
}

export interface WorkerInfo {
  readonly name: string
  readonly broker: string
  readonly locks: string
  /** `session` (Postgres advisory lock), `quorum` or `none`. */
  readonly barrier: string
  readonly concurrency: number
  readonly pool: 'prefork' | 'solo'
  readonly queues: readonly string[]
  readonly tasks: readonly string[]
}

export interface RunningWorker {
  readonly info: WorkerInfo
  /** Where a further child of this process (a beat) arms its dead-man. */
  readonly feed: Feed
  /** How many bodies it runs at once, to be changed while it runs. */
  readonly capacity: Capacity
  /**
   * Replaces the children by such that load the app's module anew; see {@link Pool.reload}. What this process itself knows
   * of the tasks (keys, limits, which there are) stays as it was.
   */
  reload(): Promise<'reloaded' | 'closed'>
  /** Bodies that run now. */
  running(): number
  /** Rejects when it cannot go on, and stops by itself: without its keeper it could only start bodies to lose them. */
  readonly failed: Promise<never>
  /** `warm`: takes nothing more and finishes what runs. `cold`: kills what runs; its messages are delivered again. */
  stop(how: 'warm' | 'cold'): Promise<void>
}

interface Parts {
  readonly options: WorkerOptions
  readonly connection: Connection
  readonly session: Barrier | undefined
  readonly barrier: RunBarrier | undefined
  readonly keeper: Keeper
  readonly pool: Pool
  readonly sweeper: Sweeper
  readonly consumer: Consumer
  readonly serving: { stop(): void }
  readonly capacity: Capacity
  readonly cold: AbortController
  readonly underWay: UnderWay
  readonly stopping: AbortController
  readonly member: LookOut
}

/**
 * Starts a worker: servers, barrier, keeper, children, and only then the first message.
 * @throws UsageError, ServerUnavailable, BeatlockError CHILD_START; nothing is left running then.
 */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { app } = options
  const take = takeSteps(options.onStep)
  const undo: (() => Promise<unknown>)[] = []
  try {
    const connection = await take('servers', () => app.connection())
    undo.push(() => app.close())
    const session = await take('barrier', () => connection.servers.openBarrier(options.name))
    if (session) undo.push(() => session.close())
    const first = rowOf(options)
    // Before others see it: what it is asked from then on is for this worker.
    const since = await connection.store.now()
    const keeper = await take('keeper', () => openKeeper(options, connection, first))
    undo.push(() => keeper.close())
    const barrier = keeper.barrier ?? session
    // A run that is told to stop hears of it at once; without the notice, from its next renewal.
    const deafen = connection.store.listen(`worker:${options.name}`, keeper.renewNow)
    undo.push(async () => deafen())
    const pool = openPool(options, connection, keeper)
    undo.push(() => pool.close('now'))
    await take('children', () => pool.start())
    await take('definitions', () => tellGuards(app, connection.store, first))
    const cold = new AbortController()
    const underWay = new UnderWay(connection.now)
    const sweeper = await take('sweeper', () => startSweeper(connection.sweep))
    undo.push(() => sweeper.close())
    const parts = { options, connection, session, barrier, keeper, pool, cold, underWay }
    const consumer = await take('consumer', () => consume(parts))
    const serving = followServing({ pool, consumer, events: app.events, worker: options.name })
    const row = ownRow(first, keeper.updateWorker)
    const capacity = capacityOf({
      pool,
      consumer,
      resized(size) {
        row.change({ concurrency: size })
        app.events.emit('worker:resized', { worker: options.name, size })
      },
    })
    const stopping = new AbortController()
    if (options.autoscale) {
      const { engine } = connection.servers
      const failed = (error: Error) => app.events.emit('trouble', { where: 'child', error })
      const scaled = { autoscale: options.autoscale, pool, capacity, engine, queues: () => row.now.queues }
      autoscale({ ...scaled, failed, signal: stopping.signal })
    }
    const served = { ...parts, consumer, capacity }
    const { name, pool: kind, steering } = options
    const member = joinFleet({ ...served, app, name, kind, steering, row, stopping: stopping.signal, since })
    return running({ ...served, sweeper, serving, stopping, member })
  } catch (error) {
    for (const step of undo.reverse()) await step().catch(() => undefined)
    throw error
  }
}

function openKeeper(options: WorkerOptions, { servers }: Connection, row: WorkerRow): Promise<Keeper> {
  const { lockSource: source, lockStore: store, barrierSource } = servers
  const { app } = options
  return startKeeper({
    locks: source ? { source } : { store },
    barrier: barrierSource,
    leaseMs: app.settings.leaseMs,
    worker: row,
    onTrouble: (error) => app.events.emit('trouble', { where: 'keeper', error }),
  })
}

function openPool(options: WorkerOptions, connection: Connection, keeper: Keeper): Pool {
  const { app, concurrency, module } = options
  if (options.pool === 'solo') return new SoloPool({ app, keeper })
  const { forChildren } = connection.servers
  const spec: TaskRunnerSpec = { module, ...forChildren, callsThroughParent: forChildren === undefined }
  const { maxTasksPerChild: maxTasks, maxMemoryBytes } = app.settings.worker
  return new PreforkPool({
    size: concurrency,
    recycling: options.recycling ?? { maxTasks, maxMemoryBytes },
    feed: keeper.feed,
    runner: new URL('./task-runner.js', import.meta.url).href,
    spec,
    onAsk: (call) => answerCaller(connection, call),
    onTrouble: (error) => app.events.emit('trouble', { where: 'child', error }),
  })
}

type Consuming = Pick<Parts, 'options' | 'connection' | 'session' | 'barrier' | 'keeper' | 'pool' | 'cold' | 'underWay'>

function consume(parts: Consuming): Promise<Consumer> {
  const { options, connection, session, barrier, keeper, pool, underWay } = parts
  const { app, name } = options
  const { leaseMs } = app.settings
  const losses = followLosses({
    keeper,
    session,
    pool,
    onStale: (key, id) => app.events.emit('lock:stale', { key, id, step: 'renew' }),
  })
  const deliver = deliverTo({
    tasks: app.tasks,
    defaults: { softTimeLimitMs: options.softTimeLimitMs, timeLimitMs: options.timeLimitMs },
    ports: {
      store: connection.store,
      barrier,
      hold({ slot, ...lease }, runId) {
        losses.follow(runId, { key: lease.key, slot })
        return keeper.hold({ ...lease, runId })
      },
      drop(runId) {
        losses.forget(runId)
        keeper.drop(runId)
      },
      run: (body) => underWay.run(body, (each) => pool.run(each)),
      promote: (promotion) => publishPromotion(connection.sweep, promotion),
      now: connection.now,
      events: app.events,
      worker: name,
      leaseMs,
      lockDelayMs: lockDelayMs(leaseMs),
      signal: parts.cold.signal,
    },
  })
  return connection.servers.engine.consume({
    queues: options.queues,
    concurrency: options.pool === 'solo' ? 1 : options.concurrency,
    redeliverAfterMs: leaseMs,
    deliver: ({ message, free }) => underWay.delivery(message, () => deliver(message, free)),
    acknowledged(message) {
      const { id: messageId, round } = message
      for (const key of keysOf(app.tasks, message)) keeper.acked({ key, messageId, round })
    },
    trouble: (error) => app.events.emit('trouble', { where: 'broker', error }),
  })
}

function running(parts: Parts): RunningWorker {
  const { options, connection, barrier, pool, keeper } = parts
  const { name, queues } = options
  const { broker, locks } = connection.servers
  const tasks = [...options.app.tasks.keys()].sort()
  const concurrency = options.pool === 'solo' ? 1 : options.concurrency
  let stopped: Promise<void> | undefined
  const worker: RunningWorker = {
    info: { name, broker, locks, barrier: barrier?.kind ?? 'none', concurrency, pool: options.pool, queues, tasks },
    feed: keeper.feed,
    capacity: parts.capacity,
    reload: () => pool.reload(),
    running: () => pool.children().filter((child) => child.runId !== null).length,
    failed: keeper.failed,
    stop(how) {
      parts.serving.stop()
      parts.stopping.abort()
      if (how === 'cold') {
        parts.cold.abort()
        void pool.close('now')
      }
      stopped ??= stop(parts)
      return stopped
    },
  }
  keeper.failed.catch(() => worker.stop('cold')).catch(() => undefined)
  return worker
}

/** In reverse order of starting. No lock is released while its body runs: bodies end first, in whichever way. */
async function stop(parts: Parts): Promise<void> {
  const { options, connection, session, keeper, pool, sweeper, consumer, cold } = parts
  await everyStep(
    [
      () => endConsumer({ consumer, busy: () => parts.underWay.count > 0, cold: cold.signal }),
      () => sweeper.close(),
      () => pool.close(cold.signal.aborted ? 'now' : 'finish'),
      () => parts.member.close(),
      () => keeper.close(),
      () => session?.close(),
      () => connection.store.leave(options.name).catch(() => undefined),
      () => options.app.close(),
    ],
    (error) => options.app.events.emit('trouble', { where: 'stop', error }),
  )
}
