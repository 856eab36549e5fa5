import type { Emitter } from '../lock/emit.js'
import type { AppEvents } from './event.js'

/** What NTP never leaves, and an answer's way never takes. */
const OFF_MS = 5_000

/**
 * Tells when this host's wall clock is off the server's, and again when that has changed. No lease, countdown or expiry is
 * judged by it; but BullMQ keeps a delayed message until an instant by the clock of who delayed it, and looks for it by
 * the clock of who takes it.
 */
export function watchClock(events: Emitter<AppEvents>): (storeNow: number, wallNow: number) => void {
  let told = 0
  return (storeNow, wallNow) => {
    const aheadMs = Math.round(wallNow - storeNow)
    const off = Math.abs(aheadMs) >= OFF_MS ? aheadMs : 0
    if (Math.abs(off - told) < OFF_MS) return
    told = off
    if (off !== 0) events.emit('clock:off', { aheadMs })
  }
}
