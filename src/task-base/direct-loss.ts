import type { Barrier } from '../lock/barrier.js'
import type { Keeper } from '../lock/keeper.js'
import type { LockKey } from '../lock/key.js'

/** Who is to be told when a lease or a seat is lost. */
export interface DirectLosses {
  /** Calls `lost` once; answers how to stop listening. */
  follow(run: { readonly runId: string; readonly key: LockKey }, lost: (reason: string) => void): () => void
}

/** `session`: a barrier that tells of its losses itself; one whose seats have leases does by the keeper. */
export function followDirectLosses(keeper: Pick<Keeper, 'onLost'>, session: Barrier | undefined): DirectLosses {
  const runs = new Map<string, { readonly key: LockKey; readonly lost: (reason: string) => void }>()
  keeper.onLost(({ runId, reason }) => runs.get(runId)?.lost(reason))
  session?.onLost((seat) => {
    for (const { key, lost } of [...runs.values()]) if (key === seat.key) lost('barrier')
  })
  return {
    follow({ runId, key }, lost) {
      runs.set(runId, { key, lost })
      return () => void runs.delete(runId)
    },
  }
}
