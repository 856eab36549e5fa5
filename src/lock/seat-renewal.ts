import type { Barrier, SeatAnswer } from './barrier.js'
import type { LockKey } from './key.js'
import type { RenewalAnswer } from './renewal.js'

/** What record and barrier say of a lease together. */
export type SeatedAnswer = RenewalAnswer | { readonly outcome: 'lost'; readonly reason: 'barrier' }

/** Prolongs the seats of those leases that have one. `answered` bounds the asking: undefined where nobody answered. */
export async function askSeats<T extends { readonly key: LockKey; readonly seat?: number | undefined }>(
  barrier: Pick<Barrier, 'extend'>,
  leases: readonly T[],
  answered: (asking: () => Promise<readonly SeatAnswer[]>) => Promise<readonly SeatAnswer[] | undefined>,
): Promise<ReadonlyMap<T, SeatAnswer>> {
  const seated = leases.flatMap((lease) =>
    lease.seat === undefined ? [] : [{ lease, seat: { key: lease.key, slot: lease.seat } }],
  )
  if (seated.length === 0) return new Map()
  const answers = await answered(() => barrier.extend(seated.map(({ seat }) => seat)))
  return new Map(seated.map(({ lease }, at) => [lease, answers?.[at] ?? 'unanswered'] as const))
}

/** The lesser of both: what either has lost is lost, and trust grows only where both said so. Pure. */
export function both(record: RenewalAnswer | undefined, seat: SeatAnswer | undefined): SeatedAnswer {
  if (record?.outcome === 'lost') return record
  if (seat === 'lost') return { outcome: 'lost', reason: 'barrier' }
  if (record === undefined || seat === 'unanswered') return { outcome: 'busy' }
  return record
}
