/** Nanoseconds of the clock that never steps; on one host all processes and threads read the same. */
export function monotonicNs(): bigint {
  return process.hrtime.bigint()
}

/** How long before its end by the server's clock a lease is no longer trusted: 1 s, or a fifth of a short lease. */
export function trustMarginMs(leaseMs: number): number {
  return Math.min(1000, leaseMs / 5)
}

/** How long after a lease nobody else is granted the key, for a holder whose last step is under way. */
export function lockDelayMs(leaseMs: number): number {
  return Math.ceil(leaseMs / 3)
}

/**
 * Until when a holder may act on a lease that it asked for at `sentAtNs`. The server granted it later than that, so
 * its lease ends later than this, by the margin at least.
 */
export function trustDeadlineNs(sentAtNs: bigint, leaseMs: number): bigint {
  return sentAtNs + msToNs(leaseMs - trustMarginMs(leaseMs))
}

export function msToNs(ms: number): bigint {
  return BigInt(Math.round(ms * 1e6))
}

/** Whole ms from now until `atNs`, rounded up so that a timer set to it never fires early; 0 when it has passed. */
export function msUntil(atNs: bigint, nowNs: bigint = monotonicNs()): number {
  return atNs <= nowNs ? 0 : Math.ceil(Number(atNs - nowNs) / 1e6)
}
