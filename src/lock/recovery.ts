import type { LockRecord } from './record.js'

/**
 * What a store knows of data that it may have lost: a restart without it, the promotion of a replica that had not all, a
 * FLUSHALL. Runs whose holds are gone may still trust their leases; until the longest of these is over no other one is
 * started, and they come to light as they renew.
 */
export interface Recovery {
  /** When the loss was noticed, epoch ms by the store's clock; null: nothing is missing. */
  lostAt: number | null
  /** Of the longest lease that any run asked for, with its lock delay. */
  graceMs: number
}

export function wholeData(): Recovery {
  return { lostAt: null, graceMs: 0 }
}

/** Until when starts are withheld, epoch ms; 0: they are not. `graceMs`: the asker's own lease and lock delay, which count from now on. */
export function recoverUntil(recovery: Recovery, graceMs: number): number {
  recovery.graceMs = Math.max(recovery.graceMs, graceMs)
  return recovery.lostAt === null ? 0 : recovery.lostAt + recovery.graceMs
}

/** How long a store withholds starts from now on; undefined where it does not. */
export function recoveringMs(until: number, now: number): number | undefined {
  return until > now ? until - now : undefined
}

/** A run that the data still tells of was maybe renewed after they were written down: it counts as such to the end of the grace. */
export function outlive(record: LockRecord, until: number, now: number): void {
  if (until <= now) return
  for (const hold of record.holders) {
    if (hold.stage !== 'running' || hold.expiresAt + hold.lockDelayMs >= until) continue
    hold.expiresAt = until - hold.lockDelayMs
    hold.dueAt = until
  }
}
