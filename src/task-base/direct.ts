import { setMaxListeners } from 'node:events'
import { hostname } from 'node:os'
import type { Barrier, RunBarrier } from '../lock/barrier.js'
import type { Emitter } from '../lock/emit.js'
import { BeatlockError } from '../lock/error.js'
import type { HoldTerms } from '../lock/hold.js'
import { type Keeper, startKeeper } from '../lock/keeper.js'
import { lockDelayMs } from '../lock/trust.js'
import { ulid } from '../lock/ulid.js'
import type { Connection } from './connection.js'
import { type DirectLock, runBody } from './direct-body.js'
import { obtain } from './direct-line.js'
import { type DirectLosses, followDirectLosses } from './direct-loss.js'
import type { DirectCall } from './direct-options.js'
import { type DirectPorts, type DirectRun, directSubject } from './direct-run.js'
import { AlreadyQueued, type HolderInfo, holderInfo } from './error.js'
import type { AppEvents } from './event.js'
import { DIRECT_QUEUE } from './message.js'
import { PUBLISH_LEASE_MS } from './publish-guard.js'
import { publishPromotion, type Sweeper, settleDoubt, startSweeper } from './sweeper.js'

/** What became of guarded code. */
export type DirectAnswer<R> =
  | { readonly ran: true; readonly value: R }
  /** Another one has the key; `id` is `session-lock` or `quorum-lock` where only the barrier knows of it. */
  | { readonly ran: false; readonly holder: HolderInfo }

export interface DirectUseOptions {
  readonly open: () => Promise<Connection>
  readonly events: Emitter<AppEvents>
  readonly leaseMs: number
}

interface Parts {
  readonly connection: Connection
  readonly keeper: Keeper
  readonly session: Barrier | undefined
  readonly barrier: RunBarrier | undefined
  readonly losses: DirectLosses
  readonly sweeper: Sweeper
  readonly deafen: () => void
}

/**
 * Runs code of this process under locks. What that takes beyond the app's connection, a keeper, a barrier where the locks
 * have one, and a sweeper, is opened by the first run and closed with the app.
 */
export class DirectUse {
  readonly #options: DirectUseOptions
  readonly #runs = new Set<Promise<void>>()
  readonly #worker = `${process.pid}@${hostname()}`
  #closing = heardByMany()
  #closed: Promise<void> | undefined
  #parts: Promise<Parts> | undefined

  constructor(options: DirectUseOptions) {
    this.#options = options
  }

  /** @throws AlreadyQueued with overlap `raise`; LockLost; StoreUnavailable; BeatlockError CLOSED; what the body threw. */
  run<R>(call: DirectCall, body: (lock: DirectLock) => R): Promise<DirectAnswer<Awaited<R>>> {
    const running = this.#run(call, body)
    const ended = running.then(
      () => undefined,
      () => undefined,
    )
    this.#runs.add(ended)
    void ended.then(() => this.#runs.delete(ended))
    return running
  }

  /** Refuses new runs and ends waits until it is done; waits for the bodies that run. Can be used again afterwards. */
  close(): Promise<void> {
    this.#closed ??= this.#close().finally(() => {
      this.#closing = heardByMany()
      this.#closed = undefined
    })
    return this.#closed
  }

  async #run<R>(call: DirectCall, body: (lock: DirectLock) => R): Promise<DirectAnswer<Awaited<R>>> {
    if (this.#closed) throw new BeatlockError('CLOSED', `${call.label} was not started: the app is closing.`)
    const run = newRun(await this.#ports(), call)
    const { ports } = run
    const askedAt = performance.now()
    const got = await obtain(run)
    if (got.outcome === 'refused') {
      const { holder, remainingMs } = got
      ports.events.emit('call:refused', { ...directSubject(run), holder, remainingMs })
      if (call.overlap === 'skip') return { ran: false, holder: holderInfo(holder) }
      const { key, label } = call
      throw new AlreadyQueued({ key, label, holder: holderInfo(holder), remainingMs, cure: CURE })
    }
    const { worker } = ports
    const lateMs = performance.now() - askedAt
    ports.events.emit('run:started', { ...directSubject(run), worker, token: got.token, deliveries: 1, lateMs })
    return { ran: true, value: await runBody(run, got, body) }
  }

  async #ports(): Promise<DirectPorts> {
    const closing = this.#closing.signal
    this.#parts ??= this.#open().catch((error: unknown) => {
      this.#parts = undefined
      throw error
    })
    const { connection, keeper, barrier, losses } = await this.#parts
    const { leaseMs, events } = this.#options
    return {
      store: connection.store,
      barrier,
      keeper,
      follow: losses.follow,
      promote: (promotion) => publishPromotion(connection.sweep, promotion),
      settle: (doubt) => settleDoubt(connection.sweep, doubt),
      now: connection.now,
      events,
      worker: this.#worker,
      leaseMs,
      lockDelayMs: lockDelayMs(leaseMs),
      closing,
    }
  }

  async #open(): Promise<Parts> {
    const { open, events, leaseMs } = this.#options
    const connection = await open()
    const { lockSource: source, lockStore: store, barrierSource } = connection.servers
    const session = await connection.servers.openBarrier(this.#worker)
    try {
      const keeper = await startKeeper({
        locks: source ? { source } : { store },
        barrier: barrierSource,
        leaseMs,
        worker: null,
        onTrouble: (error) => events.emit('trouble', { where: 'keeper', error }),
      })
      const deafen = store.listen(`worker:${this.#worker}`, keeper.renewNow)
      // Where no worker and no beat runs, nobody else would settle what a dead process left.
      const sweeper = startSweeper(connection.sweep, { keepsProcess: false })
      const barrier = keeper.barrier ?? session
      const losses = followDirectLosses(keeper, session)
      return { connection, keeper, session, barrier, losses, sweeper, deafen }
    } catch (error) {
      await session?.close()
      throw error
    }
  }

  async #close(): Promise<void> {
    this.#closing.abort()
    await Promise.all(this.#runs)
    const parts = await this.#parts?.catch(() => undefined)
    this.#parts = undefined
    if (!parts) return
    parts.deafen()
    await parts.sweeper.close()
    await parts.keeper.close()
    await parts.session?.close()
  }
}

/** Every waiter listens to it. */
function heardByMany(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}

const CURE = "give it wait: '10s' to stand in line, or overlap 'skip'"

function newRun(ports: DirectPorts, call: DirectCall): DirectRun {
  const { name: task, label, timeoutMs, waitMs } = call
  const terms: HoldTerms = {
    task,
    label,
    queue: DIRECT_QUEUE,
    limit: 1,
    mode: 'untilExecuted',
    timeoutMs,
    guarded: true,
    notBefore: null,
    // In line until its wait is over: a waiter that died keeps nobody longer than that, nor one whose start was withheld.
    expiresAt: Math.ceil(ports.now() + Math.max(waitMs, PUBLISH_LEASE_MS)),
  }
  return {
    ports,
    call,
    ref: { key: call.key, messageId: ulid(), round: 0 },
    runId: ulid(),
    terms,
    unansweredNs: undefined,
  }
}
