import { Worker } from 'node:worker_threads'
import type { RunBarrier } from './barrier.js'
import { openBarrierOf } from './barrier-source.js'
import { BeatlockError, StoreUnavailable, UsageError } from './error.js'
import { isErrorCode } from './error-code.js'
import { startFedKeeper } from './fed-keeper.js'
import type { MessageRef } from './hold.js'
import type { DeadlineCell, KeeperNews, KeeperOrder, KeeperThreadData, ThreadError } from './keeper-line.js'
import { LeaseBoard } from './lease-board.js'
import type { HeldLease, Loss } from './lease-keeper.js'
import type { LockSource, LockStore } from './lock-store.js'
import { threadBarrier } from './thread-barrier.js'
import type { WorkerRow } from './worker-row.js'

const CLOSE_MS = 2000

export interface RenewingOptions {
  /** See KeeperOptions. */
  readonly barrier?: LockSource | undefined
  readonly leaseMs: number
  readonly worker: WorkerRow | null
  /** Of the feed's socket. */
  readonly path: string
  readonly ticketKey: Uint8Array
  readonly lost: (loss: Loss) => void
  readonly onTrouble: (error: Error) => void
  /** What renews has died: nothing is renewed any more, nor will be. */
  readonly died: () => void
}

/** A lease that is renewed. */
export interface HeldThere {
  /** Until when it is trusted, monotonic ns. */
  deadlineNs(): bigint
  /** Renews it no more. */
  end(): void
}

/** What renews, as the main thread sees it. */
export interface Renewing {
  /** Where runs take the seats that are prolonged here. */
  readonly barrier: RunBarrier | undefined
  hold(lease: HeldLease, deadlineNs: bigint): HeldThere
  acked(refs: readonly MessageRef[]): void
  updateWorker(row: WorkerRow | null): void
  renewNow(): void
  close(): Promise<void>
}

/** On the caller's thread. */
export async function renewHere(options: RenewingOptions, store: LockStore): Promise<Renewing> {
  const { barrier: source, leaseMs, onTrouble: trouble } = options
  const barrier = source && (await openBarrierOf(source, { leaseMs, trouble }))
  const fed = await startFedKeeper({ ...options, store, barrier, trouble })
  return {
    ...fed,
    hold(lease, deadlineNs) {
      let untilNs = deadlineNs
      fed.hold(lease, (newerNs) => (untilNs = newerNs))
      return { deadlineNs: () => untilNs, end: () => fed.drop(lease.runId) }
    },
  }
}

/** On a thread of its own. */
export async function renewOnThread(options: RenewingOptions, source: LockSource): Promise<Renewing> {
  const { barrier, leaseMs, worker, path, ticketKey: key } = options
  const board = new LeaseBoard()
  const data: KeeperThreadData = { source, barrier, leaseMs, worker, path, ticketKey: key, board: board.memory }
  const thread = new Worker(new URL('./keeper-thread.js', import.meta.url), { workerData: data, execArgv: [] })
  let closing = false
  const exited = new Promise<void>((resolve) => thread.once('exit', () => resolve()))
  const order = (what: KeeperOrder) => thread.postMessage(what)
  const seats = barrier && threadBarrier(order)
  await firstNews(thread, options)
  thread.on('message', (news: KeeperNews) => {
    if (news.news === 'seated' || news.news === 'unseated') seats?.hear(news, ({ error }) => fromThread(error))
  })
  thread.on('error', options.onTrouble)
  void exited.then(() => {
    seats?.end()
    if (!closing) options.died()
  })
  const holdBeside = (lease: HeldLease, deadlineNs: bigint): HeldThere => {
    const cell: DeadlineCell = new BigInt64Array(new SharedArrayBuffer(8))
    Atomics.store(cell, 0, deadlineNs)
    order({ do: 'hold', lease, cell })
    return {
      deadlineNs: () => Atomics.load(cell, 0),
      end: () => order({ do: 'drop', runId: lease.runId }),
    }
  }
  return {
    barrier: seats?.barrier,
    hold(lease, deadlineNs) {
      const seat = board.put(lease, deadlineNs)
      if (seat === undefined) return holdBeside(lease, deadlineNs)
      if (!board.awake) order({ do: 'look' })
      return { deadlineNs: () => board.deadlineNs(seat), end: () => board.remove(seat) }
    },
    acked: (refs) => order({ do: 'acked', refs }),
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

function firstNews(thread: Worker, { lost, onTrouble }: RenewingOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    thread.once('error', reject)
    thread.once('exit', () => reject(new BeatlockError('KEEPER', 'the keeper thread ended before it was ready')))
    thread.on('message', (news: KeeperNews) => {
      if (news.news === 'ready') resolve()
      else if (news.news === 'failed') reject(fromThread(news.error))
      else if (news.news === 'lost') lost(news.loss)
      else if (news.news === 'trouble') onTrouble(fromThread(news.error))
    })
  })
}

function fromThread({ name, message, code, server }: ThreadError): Error {
  if (code === 'STORE_UNAVAILABLE' && server !== undefined) {
    return new StoreUnavailable(server, message.slice(message.indexOf(': ') + 2))
  }
  if (code === 'USAGE') return new UsageError(message)
  return new BeatlockError(isErrorCode(code) ? code : 'KEEPER', name === 'Error' ? message : `${name}: ${message}`)
}
