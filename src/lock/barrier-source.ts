import type { Barrier } from './barrier.js'
import type { LockSource } from './lock-store.js'

/** What a barrier whose seats have leases is opened with, besides its source's options. */
export interface BarrierTerms {
  /** Of the leases that its seats are prolonged with. */
  readonly leaseMs: number
  /** Told of trouble that mends itself. */
  readonly trouble: (error: Error) => void
}

/** @throws StoreUnavailable, UsageError */
export async function openBarrierOf(source: LockSource, { leaseMs, trouble }: BarrierTerms): Promise<Barrier> {
  const adapter = (await import(source.module)) as {
    openBarrier(options: unknown, trouble: (error: Error) => void): Promise<Barrier>
  }
  return adapter.openBarrier({ ...source.options, leaseMs }, trouble)
}
