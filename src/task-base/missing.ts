import type { LockKey } from '../lock/key.js'
import type { Doubt, Holder } from '../lock/lock-store.js'
import { MISSING_MS } from '../lock/record.js'
import { DIRECT_QUEUE } from './message.js'
import { type SweepPorts, settleDoubt } from './sweeper.js'

/** A holder that has been queued for less is not asked about. */
const SUSPECT_MS = 5_000
/** Between two questions about one holder, however often it stands in the way. */
const ASK_EVERY_MS = 5_000
const REMEMBERED = 1_000

export interface MissingWatch {
  /** Waits for what is under way; a second look that is due later is left to whoever is refused next. */
  close(): Promise<void>
}

/**
 * Looks for messages that are gone, as when somebody purged a queue by hand. Never a scan: whoever is kept waiting by a
 * holder that has been queued for long asks the engine about that one message, beside the answer, and once more after a
 * while. The record counts the misses, so that two short-lived processes make up the two looks as well.
 */
export function watchMissing(ports: SweepPorts): MissingWatch {
  const { events } = ports
  const askedAt = new Map<string, number>()
  const underWay = new Set<Promise<void>>()
  const timers = new Set<NodeJS.Timeout>()
  let closed = false

  const look = (again: () => Promise<boolean>): void => {
    const looking = again()
      .then((missing) => missing && lookLater(again))
      .catch((error: unknown) => events.emit('trouble', { where: 'missing message', error: error as Error }))
      .then(() => void underWay.delete(looking))
    underWay.add(looking)
  }
  const lookLater = (again: () => Promise<boolean>): void => {
    if (closed) return
    const timer = setTimeout(() => {
      timers.delete(timer)
      look(async () => (await again()) && false)
    }, MISSING_MS + 50).unref()
    timers.add(timer)
  }
  const suspect = (key: LockKey, holder: Holder | null): void => {
    if (closed || holder?.stage !== 'queued' || ports.now() - holder.since < SUSPECT_MS) return
    const now = performance.now()
    if (now - (askedAt.get(holder.id) ?? Number.NEGATIVE_INFINITY) < ASK_EVERY_MS) return
    if (askedAt.size >= REMEMBERED) askedAt.clear()
    askedAt.set(holder.id, now)
    look(() => isMissing(ports, key, holder.id))
  }

  const unwatch = [
    ...(['call:refused', 'call:parked', 'call:coalesced'] as const).map((name) =>
      events.on(name, ({ key, holder }) => suspect(key, holder)),
    ),
    events.on('run:putBack', ({ key, holder }) => suspect(key, holder)),
  ]
  return {
    async close() {
      closed = true
      for (const stop of unwatch) stop()
      for (const timer of timers) clearTimeout(timer)
      await Promise.all(underWay)
    },
  }
}

/** One look. True: the message is missing, and still has its place. */
async function isMissing(ports: SweepPorts, key: LockKey, holder: string): Promise<boolean> {
  const rows = (await ports.store.show(key))?.rows ?? []
  const row = rows.find((each) => each.holder === holder && each.stage === 'queued')
  if (!row || row.queue === null || row.queue === DIRECT_QUEUE) return false
  const { round, queue } = row
  const doubt: Doubt = { key, messageId: holder, round: round ?? 0, stage: 'queued', token: null, queue }
  const { state, outcome } = await settleDoubt(ports, doubt)
  return outcome === 'kept' && (state === 'absent' || state === 'finished')
}
