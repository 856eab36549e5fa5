import type { Barrier, Seat } from '../lock/barrier.js'
import type { Keeper } from '../lock/keeper.js'
import type { LockKey } from '../lock/key.js'
import type { Pool } from './pool.js'

/** How long a body may clean up after its lock was taken or cleared; its lease's deadline may be sooner. */
const CLEAN_UP_MS = 1_000

export interface Losses {
  follow(runId: string, seat: Seat): void
  forget(runId: string): void
}

/**
 * Stops bodies whose lock is gone: their signal is aborted at once, their process group killed a moment later. When the
 * trust itself ran out, keeper and dead-man kill on their own, whatever happens here.
 */
export function followLosses(of: {
  keeper: Keeper
  /** A barrier that tells of its losses itself; one whose seats have leases, by the keeper. */
  session: Barrier | undefined
  pool: Pool
  /** A renewal was refused: the lease was no longer this run's. */
  onStale: (key: LockKey, messageId: string) => void
}): Losses {
  const { keeper, session, pool, onStale } = of
  const runs = new Map<string, { readonly seat: Seat; timer?: NodeJS.Timeout }>()
  const end = (runId: string, why: 'lost' | 'cancelled'): void => {
    const run = runs.get(runId)
    if (!run || run.timer) return
    pool.abort(runId, why)
    run.timer = setTimeout(() => pool.kill(runId, why), CLEAN_UP_MS)
  }
  keeper.onLost(({ runId, messageId, reason }) => {
    const key = runs.get(runId)?.seat.key
    if (key !== undefined && (reason === 'ended' || reason === 'taken')) onStale(key, messageId)
    end(runId, reason === 'cancelled' ? 'cancelled' : 'lost')
    // No trust is left to clean up under, and a body that began just now the keeper may not know how to kill.
    if (reason === 'deadline') pool.kill(runId, 'lost')
  })
  session?.onLost(({ key, slot }) => {
    for (const [runId, { seat }] of runs) if (seat.key === key && seat.slot === slot) end(runId, 'lost')
  })
  return {
    follow: (runId, seat) => void runs.set(runId, { seat }),
    forget(runId) {
      clearTimeout(runs.get(runId)?.timer)
      runs.delete(runId)
    },
  }
}
