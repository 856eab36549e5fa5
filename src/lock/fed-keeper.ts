import type { Barrier, RunBarrier } from './barrier.js'
import { DeadlineFeed } from './deadline-feed.js'
import type { MessageRef } from './hold.js'
import { type HeldLease, LeaseKeeper, type Loss } from './lease-keeper.js'
import type { LockStore } from './lock-store.js'
import type { WorkerRow } from './worker-row.js'

/** Told of each newer deadline of a lease, monotonic ns. */
export type TellDeadline = (deadlineNs: bigint) => void

export interface FedKeeperOptions {
  readonly store: LockStore
  /** One whose seats have leases; closed with the keeper. */
  readonly barrier: Barrier | undefined
  readonly leaseMs: number
  readonly worker: WorkerRow | null
  readonly path: string
  readonly ticketKey: Uint8Array
  readonly lost: (loss: Loss) => void
  readonly trouble: (error: Error) => void
}

/** Renewal and the feeding of the dead-men, on whatever thread this runs. */
export interface FedKeeper {
  /** Where runs take the seats that are prolonged here. */
  readonly barrier: RunBarrier | undefined
  hold(lease: HeldLease, tell: TellDeadline): void
  drop(runId: string): void
  acked(refs: readonly MessageRef[]): void
  updateWorker(row: WorkerRow | null): void
  renewNow(): void
  close(): Promise<void>
}

export async function startFedKeeper(options: FedKeeperOptions): Promise<FedKeeper> {
  const tells = new Map<string, TellDeadline>()
  const feed = new DeadlineFeed({
    ...options,
    deadlineNs: (runId) => keeper.deadlineNs(runId),
    lossOf: (runId) => keeper.lossOf(runId),
  })
  const keeper: LeaseKeeper = new LeaseKeeper({
    store: options.store,
    barrier: options.barrier,
    leaseMs: options.leaseMs,
    events: {
      deadline(runId, deadlineNs) {
        tells.get(runId)?.(deadlineNs)
        feed.deadline(runId, deadlineNs)
      },
      lost(loss) {
        feed.abort(loss.runId, loss.reason)
        options.lost(loss)
      },
      passed: (runId) => feed.kill(runId),
      trouble: options.trouble,
      jumped: (aheadMs) =>
        options.trouble(new Error(`the clock ran ${Math.round(aheadMs)} ms ahead; renewing at once`)),
    },
  })
  await feed.listen()
  if (options.worker) keeper.updateWorker(options.worker)
  return {
    barrier: options.barrier,
    hold(lease, tell) {
      tells.set(lease.runId, tell)
      feed.deadline(lease.runId, keeper.add(lease))
    },
    drop(runId) {
      tells.delete(runId)
      keeper.drop(runId)
    },
    acked(refs) {
      for (const ref of refs) keeper.acked(ref)
    },
    updateWorker: (row) => keeper.updateWorker(row),
    renewNow: () => keeper.renewNow(),
    async close() {
      await keeper.close()
      await feed.close()
      await options.barrier?.close()
    },
  }
}
