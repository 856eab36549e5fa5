import type { RunBarrier } from './barrier.js'
import { BeatlockError } from './error.js'
import { makeFeedFolder } from './feed-folder.js'
import { ticketKey, writeTicket } from './feed-ticket.js'
import type { MessageRef } from './hold.js'
import type { HeldLease, Loss } from './lease-keeper.js'
import type { LockSource, LockStore } from './lock-store.js'
import { type HeldThere, type Renewing, renewHere, renewOnThread } from './renewing.js'
import { trustDeadlineNs } from './trust.js'
import type { WorkerRow } from './worker-row.js'

export interface KeeperOptions {
  /** How the keeper's thread opens the lock store; or, for a store of this process only, that store. */
  readonly locks: { readonly source: LockSource } | { readonly store: LockStore }
  /** A barrier whose seats have leases: opened beside the renewal that prolongs them. */
  readonly barrier?: LockSource | undefined
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
  /** Undefined where the keeper was given none. */
  readonly barrier: RunBarrier | undefined
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

/** How long acknowledgements are gathered: each message to a thread wakes it. */
const ACKS_MS = 100

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
  const lost = (loss: Loss) => {
    // A loss that crossed a drop on its way is nobody's any more.
    if (lives.has(loss.runId)) for (const listener of listeners) listener(loss)
  }
  const start: Start = { ...options, path: folder.path, ticketKey: ticketKey(), lives, lost, dead: false }
  let reject: (error: Error) => void = () => {}
  const failed = new Promise<never>((_, fail) => {
    reject = fail
  })
  failed.catch(() => undefined)
  const died = () => reject(loseAll(start))
  try {
    const renewing =
      'store' in options.locks
        ? await renewHere({ ...start, died }, options.locks.store)
        : await renewOnThread({ ...start, died }, options.locks.source)
    return assemble({ start, renewing, listeners, failed, remove: folder.remove })
  } catch (error) {
    folder.remove()
    throw error
  }
}

interface Life extends HeldThere {
  readonly lease: HeldLease
}

type Lives = Map<string, Life>

interface Start extends KeeperOptions {
  readonly path: string
  readonly ticketKey: Uint8Array
  readonly lives: Lives
  readonly lost: (loss: Loss) => void
  /** What renews has died. */
  dead: boolean
}

function assemble(of: {
  start: Start
  renewing: Renewing
  listeners: ((loss: Loss) => void)[]
  failed: Promise<never>
  remove: () => void
}): Keeper {
  const { start, renewing } = of
  const { lives } = start
  const acks = gatherAcks(renewing)
  let tickets = 0
  return {
    barrier: renewing.barrier,
    feed: {
      path: start.path,
      ticket: () => writeTicket(start.ticketKey, tickets++),
      deadlineNs: (runId) => lives.get(runId)?.deadlineNs(),
    },
    hold(lease) {
      const deadlineNs = trustDeadlineNs(lease.sentAtNs, start.leaseMs)
      lives.set(lease.runId, { lease, ...renewing.hold(lease, deadlineNs) })
      if (start.dead) queueMicrotask(() => lose(start, lease.runId))
      return deadlineNs
    },
    drop(runId) {
      lives.get(runId)?.end()
      lives.delete(runId)
    },
    acked: acks.add,
    updateWorker: (row) => renewing.updateWorker(row),
    renewNow: () => renewing.renewNow(),
    onLost: (listener) => void of.listeners.push(listener),
    failed: of.failed,
    async close() {
      lives.clear()
      acks.flush()
      await renewing.close()
      of.remove()
    },
  }
}

/** One that is told late, or never, costs the store some room for some time. */
function gatherAcks(renewing: Renewing): { add(ref: MessageRef): void; flush(): void } {
  let refs: MessageRef[] = []
  let timer: NodeJS.Timeout | undefined
  const flush = (): void => {
    clearTimeout(timer)
    timer = undefined
    if (refs.length > 0) renewing.acked(refs)
    refs = []
  }
  return {
    add(ref) {
      refs.push(ref)
      timer ??= setTimeout(flush, ACKS_MS).unref()
    },
    flush,
  }
}

/** Nobody renews any more: every lease counts as lost now, though the store may keep it until its end. */
function loseAll(start: Start): BeatlockError {
  const what = 'the keeper thread ended unexpectedly: all leases of this process are lost; start the process again'
  const error = new BeatlockError('KEEPER', what)
  start.dead = true
  start.onTrouble(error)
  for (const runId of [...start.lives.keys()]) lose(start, runId)
  return error
}

function lose({ lives, lost }: Start, runId: string): void {
  const life = lives.get(runId)
  if (!life) return
  lives.set(runId, { ...life, deadlineNs: () => 0n })
  lost({ runId, messageId: life.lease.messageId, token: life.lease.token, reason: 'keeper' })
}
