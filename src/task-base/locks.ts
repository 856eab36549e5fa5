import type { ClearAnswer } from '../lock/clear.js'
import { UsageError } from '../lock/error.js'
import type { HoldEvent, Stage } from '../lock/hold.js'
import type { LockKey } from '../lock/key.js'
import type { ListQuery, LockRow, LockView, ParkedView } from '../lock/lock-view.js'
import type { FinalOutcome, OutcomeRecord } from '../lock/outcome.js'
import type { WorkerRow } from '../lock/worker-row.js'
import type { Connection } from './connection.js'
import type { DirectAnswer, DirectUse } from './direct.js'
import type { DirectLock } from './direct-body.js'
import { type DirectOptions, readDirectCall } from './direct-options.js'
import { DIRECT_QUEUE } from './message.js'
import { PUBLISH_LEASE_MS } from './publish-guard.js'
import { publishPromotion } from './sweeper.js'

/** Why a run does not live whose lease still does. */
export const SESSION_GONE = 'its session is gone'

/** A worker that was not seen for this long counts as dead. */
export const WORKER_DEAD_MS = 15_000

/** One holder of one key, as `locks list --json` prints it. Times are ISO 8601, UTC. */
export interface LockInfo {
  readonly app: string
  readonly key: string
  readonly task: string
  readonly label: string
  readonly stage: Stage | null
  /** Message id: what `result` takes. Null if only parked calls remain. */
  readonly holder: string | null
  readonly token: number | null
  readonly worker: string | null
  readonly acquiredAt: string | null
  readonly ageMs: number | null
  readonly expiresAt: string | null
  readonly ttlMs: number | null
  /** Running: its lease lives, and its session where it has one. Queued: its message exists and a live worker consumes its queue. Null: not known. */
  readonly alive: boolean | null
  /** Why `alive` is not true. */
  readonly why: string | null
  readonly parked: number
  readonly limit: number
}

export interface LockDetail {
  readonly holders: readonly LockInfo[]
  readonly parked: readonly ParkedView[]
  readonly outcomes: readonly OutcomeRecord[]
  /** Holds that ended while their message did not; the newest first, at most 20. */
  readonly history: readonly HoldEvent[]
}

export interface ClearOptions {
  /** Also discard parked calls. */
  readonly parked?: boolean
  /** Needed for a running holder that lives: it is told to stop, and keeps the key until it has. */
  readonly force?: boolean
  /** With `force`: drop the hold unseen. The old and the next run may overlap. */
  readonly now?: boolean
}

/** What operators may see and do. Bound to the app's servers. */
export class Locks {
  readonly #open: () => Promise<Connection>
  readonly #direct: DirectUse

  constructor(open: () => Promise<Connection>, direct: DirectUse) {
    this.#open = open
    this.#direct = direct
  }

  /**
   * Runs code of this process under the lock of a name: `{ ran: true, value }`, or `{ ran: false, holder }` where another
   * one has it. On a loss `signal` is aborted and the call rejects with `LockLost`; the body is not killed.
   *
   * @throws UsageError, StoreUnavailable (nothing was run), AlreadyQueued (overlap `raise`), LockLost, BeatlockError
   * CLOSED while the app closes (which waits for bodies: never await it inside of one), and what the body throws.
   */
  async run<R>(name: string, options: DirectOptions, fn: (lock: DirectLock) => R): Promise<DirectAnswer<Awaited<R>>> {
    const call = readDirectCall('locks.run', name, options)
    if (typeof fn !== 'function') throw new UsageError(`locks.run '${name}' must be given the function to run.`)
    return this.#direct.run(call, fn)
  }

  /** Every holder, in key order, a page at a time. */
  async *list(query: ListQuery = {}): AsyncGenerator<LockInfo> {
    const { store, servers } = await this.#open()
    const workers = await store.workers({ allApps: query.allApps ?? false })
    for await (const row of store.list(query)) yield await lockInfo(row, { workers, engine: servers.engine })
  }

  /** All that is kept about a key, or null. */
  async show(key: string): Promise<LockDetail | null> {
    const { store, servers } = await this.#open()
    const view: LockView | null = await store.show(key as LockKey)
    if (!view) return null
    const workers = await store.workers({ allApps: false })
    const holders = await Promise.all(view.rows.map((row) => lockInfo(row, { workers, engine: servers.engine })))
    return { holders, parked: view.parked, outcomes: view.outcomes, history: view.history }
  }

  /** Frees a key. A living running holder is left alone without `force`. The next parked call has its turn. */
  async clear(key: string, options: ClearOptions & { readonly by?: string } = {}): Promise<ClearAnswer> {
    if (options.now && !options.force)
      throw new UsageError('clear: now needs force; together they may let two runs overlap.')
    const { store, sweep } = await this.#open()
    const answer = await store.clear({
      key: key as LockKey,
      parked: options.parked ?? false,
      running: options.now ? 'drop' : options.force ? 'cancel' : 'keep',
      by: options.by ?? 'app.locks.clear',
      publishLeaseMs: PUBLISH_LEASE_MS,
      resultMs: sweep.resultMs,
    })
    const ended = (id: string, outcome: FinalOutcome): void =>
      sweep.events.emit('call:ended', { id, key: key as LockKey, outcome })
    for (const id of answer.discarded) ended(id, 'revoked')
    for (const { id, stage } of answer.freed) {
      // A parked call that had its turn existed in the record only.
      if (stage === 'promoting') ended(id, 'cleared')
      // A run that had been told to stop ended by this; of any other its message passes the guard again.
      const outcome = stage === 'running' ? (await store.find(id, key as LockKey)).outcome : null
      if (outcome) ended(id, outcome.outcome)
    }
    if (answer.promotion) await publishPromotion(sweep, answer.promotion)
    return answer
  }
}

/** What is asked to judge whether a holder lives: the workers' rows, and the engine of the row's app. */
export interface Witness {
  readonly workers: readonly WorkerRow[]
  readonly engine: Pick<Connection['servers']['engine'], 'state'>
}

/** @internal One stored row as operators see it. */
export async function lockInfo(row: LockRow, witness: Witness): Promise<LockInfo> {
  const { app, key, task, label, stage, holder, token, worker, parked, limit, now } = row
  const life = await lifeOf(row, witness)
  return {
    app,
    key,
    task,
    label,
    stage,
    holder,
    token: stage === 'running' ? token : null,
    worker,
    acquiredAt: iso(row.acquiredAt),
    ageMs: row.acquiredAt === null ? null : Math.max(0, now - row.acquiredAt),
    expiresAt: iso(row.expiresAt),
    ttlMs: row.expiresAt === null ? null : row.expiresAt - now,
    ...life,
    parked,
    limit,
  }
}

async function lifeOf(
  row: LockRow,
  { workers, engine }: Witness,
): Promise<{ alive: boolean | null; why: string | null }> {
  const seen = (each: WorkerRow): boolean => row.now - each.seenAt < WORKER_DEAD_MS
  switch (row.stage) {
    case null:
      return { alive: null, why: 'only parked calls' }
    case 'running':
      return runningLife(
        row,
        workers.some((each) => each.app === row.app && each.name === row.worker && seen(each)),
      )
    case 'queued': {
      const consumed = workers.some(
        (each) => each.app === row.app && seen(each) && each.queues.includes(row.queue ?? ''),
      )
      if (!consumed) return { alive: false, why: `no worker consumes ${row.queue}` }
      return queuedLife(await engineState(row, engine))
    }
    default:
      return {
        alive: null,
        why:
          row.stage === 'cooling'
            ? 'cooling down'
            : `on its way to the ${row.queue === DIRECT_QUEUE ? 'process that asked' : 'queue'}`,
      }
  }
}

function runningLife(row: LockRow, workerSeen: boolean): { alive: boolean; why: string | null } {
  if ((row.expiresAt ?? 0) > row.now) {
    // A process that dies takes its session along; its key is kept until lease and lock delay are over all the same.
    if (row.barrier === 'session' && !row.barrierHeld) return { alive: false, why: SESSION_GONE }
    const stopping = row.cancelledBy === null ? null : `stopping: ${row.cancelledHow} by ${row.cancelledBy}`
    return { alive: true, why: stopping }
  }
  // Its session lives and keeps everyone out, but nothing renews.
  if (row.barrierHeld) return { alive: false, why: 'stopped' }
  return { alive: false, why: workerSeen ? 'its lease ended' : 'its worker is gone or stopped' }
}

async function engineState(row: LockRow, engine: Witness['engine']): Promise<string> {
  return engine.state(row.queue ?? '', row.holder ?? '', row.round ?? 0).catch(() => 'unknown')
}

function queuedLife(state: string): { alive: boolean | null; why: string | null } {
  if (state === 'unknown') return { alive: null, why: 'the broker does not answer' }
  if (state === 'absent' || state === 'finished') return { alive: false, why: 'its message is gone' }
  return { alive: true, why: null }
}

function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString()
}
