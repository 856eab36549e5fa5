import { isMainThread, Worker } from 'node:worker_threads'

/** The probe sleeps for so long at a time. */
export const NAP_MS = 10
/** Woken later than this, it was the machine that did not run. */
export const LATE_NS = 20_000_000n
/** Where the shared notes have what: when the probe was last awake, how many stalls it wrote, and these as pairs. */
export const [LAST, WRITTEN] = [0, 1]
export const STALLS = { from: 2, kept: 4096 }

const notes = new BigInt64Array(new SharedArrayBuffer(8 * (STALLS.from + 2 * STALLS.kept)))
if (isMainThread) {
  notes[LAST] = process.hrtime.bigint()
  new Worker(new URL('./stall-probe.js', import.meta.url), { workerData: notes.buffer }).unref()
}

/**
 * Milliseconds between two instants of the monotonic clock (default: until now) in which this machine ran: a bound that
 * is promised is held by the program, and not broken by a machine that stood still. A thread that only sleeps says when.
 */
export function ranMs(fromNs: bigint, toNs: bigint = process.hrtime.bigint()): number {
  return Number(toNs - fromNs) / 1e6 - stalledMs(fromNs, toNs)
}

/** Milliseconds between two instants in which this machine stood still. */
export function stalledMs(fromNs: bigint, toNs: bigint = process.hrtime.bigint()): number {
  const overlaps = stalls().map(([from, to]) => (to < toNs ? to : toNs) - (from > fromNs ? from : fromNs))
  return overlaps.reduce((sum, ns) => (ns > 0n ? sum + Number(ns) / 1e6 : sum), 0)
}

/** With the one that the probe has not woken from yet. */
function stalls(): (readonly [bigint, bigint])[] {
  const asleepNs = Atomics.load(notes, LAST) + BigInt(NAP_MS) * 1_000_000n
  const kept = Math.min(Number(Atomics.load(notes, WRITTEN)), STALLS.kept)
  const written = Array.from({ length: kept }, (_, n) => {
    const at = STALLS.from + 2 * n
    return [notes[at] as bigint, notes[at + 1] as bigint] as const
  })
  const now = process.hrtime.bigint()
  return now - asleepNs > LATE_NS ? [...written, [asleepNs, now]] : written
}
