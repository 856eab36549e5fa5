import { Worker } from 'node:worker_threads'
import { BeatlockError, StoreUnavailable } from './error.js'
import { isErrorCode } from './error-code.js'
import { type DeadlineCell, type FedKeeper, startFedKeeper } from './fed-keeper.js'
import { makeFeedFolder } from './feed-folder.js'
import { ticketKey, writeTicket } from './feed-ticket.js'
import type { MessageRef } from './hold.js'
import type { KeeperNews, KeeperOrder, KeeperThreadData, ThreadError } from './keeper-line.js'
import type { HeldLease, Loss } from './lease-keeper.js'
import type { LockSource, LockStore } from './lock-store.js'
import { trustDeadlineNs } from './trust.js'
import type { WorkerRow } from './worker-row.js'

export interface KeeperOptions {
  /** How the keeper's thread opens the lock store; or, for a store of this process only, that store. */
  readonly locks: { readonly source: LockSource } | { readonly store: LockStore }
  readonly leaseMs: number
  /** Written with each batch of renewals; null where no worker row is wanted. */
  readonly worker: WorkerRow | null
  /** Told of trouble that mends itself, and of the keeper's own death. */
  readonly onTrouble: (error: Error) => void
}

/** Where a child's dead-man learns until when it may live. */
export interface Feed {
  /** Path of a Unix socket. */
  readonly path: string
  /** A new ticket, good for one connection. */
  ticket(): string
  /** Until when a run's lease is trusted, monotonic ns; undefined for a run that is not held. */
  deadlineNs(runId: string): bigint | undefined
}

/** Keeps the leases of this process alive. */
export interface Keeper {
  readonly feed: Feed
  /** Begins to renew a granted lease; answers until when it is trusted before the first renewal. */
  hold(lease: HeldLease): bigint
  /** The run is over, or will be released: renews no more. */
  drop(runId: string): void
  /** The engine took the message: noted with the next batch. */
  acked(ref: MessageRef): void
  updateWorker(row: WorkerRow | null): void
  /** A notice came that a lease may be lost: asks now what the next renewal would tell. */
  renewNow(): void
  /** Told once for each held lease that is lost. */
  onLost(listener: (loss: Loss) => void): void
  /** Rejects when what renews has died: every lease of this process is lost, and so is each that it will ever hold. */
  readonly failed: Promise<never>
  /** Notes what waits, and leaves neither thread nor socket behind; every child that is still connected dies. */
  close(): Promise<void>
}

const CLOSE_MS = 2000

/**
 * Starts renewal: on a thread with a connection of its own, or for a store of this process only on the caller's thread,
 * where whatever blocks the loop blocks renewal too.
 *
 * @throws StoreUnavailable, or what else the store's opening threw.
 */
export async function startKeeper(options: KeeperOptions): Promise<Keeper> {
  const folder = makeFeedFolder()
  const lives: Lives = new Map()
  const listeners: ((loss: Loss) => void)[] = []
  const lose = (loss: Loss) => {
    // A loss that crossed a drop on its way is nobody's any more.
    if (lives.has(loss.runId)) for (const listener of listeners) listener(loss)
  }
  let died: Start['died'] = () => {}
  const failed = new Promise<never>((_, reject) => {
    died = reject
  })
  failed.catch(() => undefined)
  const start = { ...options, path: folder.path, ticketKey: ticketKey(), lost: lose, died, lives }
  try {
    const fed =
      'store' in options.locks
        ? await startHere(start, options.locks.store)
        : await startThread(start, options.locks.source)
    return assemble({ start, fed, listeners, failed, remove: folder.remove })
  } catch (error) {
    folder.remove()
    throw error
  }
}

type Lives = Map<string, { readonly lease: HeldLease; readonly cell: DeadlineCell }>

interface Start extends KeeperOptions {
  readonly path: string
  readonly ticketKey: Uint8Array
  readonly lost: (loss: Loss) => void
  readonly died: (error: Error) => void
  readonly lives: Lives
}

function assemble(of: {
  start: Start
  fed: FedKeeper
  listeners: ((loss: Loss) => void)[]
  failed: Promise<never>
  remove: () => void
}): Keeper {
  const { start, fed } = of
  const { lives } = start
  let tickets = 0
  return {
    feed: {
      path: start.path,
      ticket: () => writeTicket(start.ticketKey, tickets++),
      deadlineNs(runId) {
        const life = lives.get(runId)
        return life && Atomics.load(life.cell, 0)
      },
    },
    hold(lease) {
      const deadlineNs = trustDeadlineNs(lease.sentAtNs, start.leaseMs)
      const cell: DeadlineCell = new BigInt64Array(new SharedArrayBuffer(8))
      Atomics.store(cell, 0, deadlineNs)
      lives.set(lease.runId, { lease, cell })
      fed.hold(lease, cell)
      return deadlineNs
    },
    drop(runId) {
      if (lives.delete(runId)) fed.drop(runId)
    },
    acked: (ref) => fed.acked(ref),
    updateWorker: (row) => fed.updateWorker(row),
    renewNow: () => fed.renewNow(),
    onLost: (listener) => void of.listeners.push(listener),
    failed: of.failed,
    async close() {
      lives.clear()
      await fed.close()
      of.remove()
    },
  }
}

function startHere(start: Start, store: LockStore): Promise<FedKeeper> {
  return startFedKeeper({ ...start, store, trouble: start.onTrouble })
}

async function startThread(start: Start, source: LockSource): Promise<FedKeeper> {
  const { leaseMs, worker, path, ticketKey: key } = start
  const data: KeeperThreadData = { source, leaseMs, worker, path, ticketKey: key }
  const thread = new Worker(new URL('./keeper-thread.js', import.meta.url), { workerData: data, execArgv: [] })
  let closing = false
  let dead = false
  const exited = new Promise<void>((resolve) => thread.once('exit', () => resolve()))
  await firstNews(thread, start)
  thread.on('error', start.onTrouble)
  void exited.then(() => {
    dead = true
    if (!closing) loseAll(start)
  })
  const order = (what: KeeperOrder) => thread.postMessage(what)
  return {
    hold(lease, cell) {
      if (dead) queueMicrotask(() => lose(start, lease.runId))
      else order({ do: 'hold', lease, cell })
    },
    drop: (runId) => order({ do: 'drop', runId }),
    acked: (ref) => order({ do: 'acked', ref }),
    updateWorker: (row) => order({ do: 'worker', row }),
    renewNow: () => order({ do: 'renew' }),
    async close() {
      closing = true
      order({ do: 'close' })
      const late = setTimeout(() => void thread.terminate(), CLOSE_MS)
      await exited
      clearTimeout(late)
    },
  }
}

function firstNews(thread: Worker, start: Start): Promise<void> {
  return new Promise((resolve, reject) => {
    thread.once('error', reject)
    thread.once('exit', () => reject(new BeatlockError('KEEPER', 'the keeper thread ended before it was ready')))
    thread.on('message', (news: KeeperNews) => {
      if (news.news === 'ready') resolve()
      else if (news.news === 'failed') reject(fromThread(news.error))
      else if (news.news === 'lost') start.lost(news.loss)
      else if (news.news === 'trouble') start.onTrouble(fromThread(news.error))
    })
  })
}

/** Nobody renews any more: every lease counts as lost now, though the store may keep it until its end. */
function loseAll(start: Start): void {
  const what = 'the keeper thread ended unexpectedly: all leases of this process are lost; start the process again'
  const error = new BeatlockError('KEEPER', what)
  start.onTrouble(error)
  start.died(error)
  for (const runId of [...start.lives.keys()]) lose(start, runId)
}

function lose({ lives, lost }: Start, runId: string): void {
  const life = lives.get(runId)
  if (!life) return
  Atomics.store(life.cell, 0, 0n)
  lost({ runId, messageId: life.lease.messageId, token: life.lease.token, reason: 'keeper' })
}

function fromThread({ name, message, code, server }: ThreadError): Error {
  if (code === 'STORE_UNAVAILABLE' && server !== undefined) {
    return new StoreUnavailable(server, message.slice(message.indexOf(': ') + 2))
  }
  return new BeatlockError(isErrorCode(code) ? code : 'KEEPER', name === 'Error' ? message : `${name}: ${message}`)
}
