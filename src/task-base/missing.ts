import type { Doubt } from '../lock/doubt.js'
import type { Holder } from '../lock/hold.js'
import type { LockKey } from '../lock/key.js'
import type { LockRow } from '../lock/lock-view.js'
import { MISSING_MS } from '../lock/record.js'
import { DIRECT_QUEUE } from './message.js'
import { type SweepPorts, settleDoubt } from './sweeper.js'

/** A holder that has been queued for less is not asked about. */
const SUSPECT_MS = 5_000
/** Between two looks at one key, however often it is asked for. */
const ASK_EVERY_MS = 5_000
/** Holders of one key that a look asks about, one after the other. */
const ASKED_AT_ONCE = 16
const REMEMBERED = 1_000

export interface MissingWatch {
  /** Waits for what is under way; a second look that is due later is left to whoever is refused next. */
  close(): Promise<void>
}

/**
 * Looks for messages that are gone, as when somebody purged a queue by hand. Never a scan: whoever is kept waiting by a
 * key that has been held for long asks the engine about its queued holders, beside the answer, and once more after a
 * while about those that are missing. The record counts the misses, so that two short-lived processes make up the two looks as well.
 */
export function watchMissing(ports: SweepPorts): MissingWatch {
  const { events } = ports
  const askedAt = new Map<string, number>()
  const underWay = new Set<Promise<void>>()
  const timers = new Set<NodeJS.Timeout>()
  let closed = false

  const look = (key: LockKey, once?: readonly string[]): void => {
    const looking = missingOf(ports, key, once)
      .then((missing) => once === undefined && missing.length > 0 && lookLater(key, missing))
      .catch((error: unknown) => events.emit('trouble', { where: 'missing message', error: error as Error }))
      .then(() => void underWay.delete(looking))
    underWay.add(looking)
  }
  const lookLater = (key: LockKey, missing: readonly string[]): void => {
    if (closed) return
    const timer = setTimeout(() => {
      timers.delete(timer)
      look(key, missing)
    }, MISSING_MS + 50).unref()
    timers.add(timer)
  }
  // The holder that is named may be one of several, and live beside one whose message is gone.
  const suspect = (key: LockKey, holder: Holder | null): void => {
    if (closed || !holder || ports.now() - holder.since < SUSPECT_MS) return
    const now = performance.now()
    if (now - (askedAt.get(key) ?? Number.NEGATIVE_INFINITY) < ASK_EVERY_MS) return
    if (askedAt.size >= REMEMBERED) askedAt.clear()
    askedAt.set(key, now)
    look(key)
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

/** One look at a key's queued holders, or at those of them: which are missing, and still have their place. */
async function missingOf(ports: SweepPorts, key: LockKey, those?: readonly string[]): Promise<string[]> {
  const rows = ((await ports.store.show(key))?.rows ?? []).filter((row) => isSuspect(row, those))
  // Of many, some: each time from another one on.
  const from = Math.floor(Math.random() * rows.length)
  const missing: string[] = []
  for (const row of [...rows.slice(from), ...rows.slice(0, from)].slice(0, ASKED_AT_ONCE)) {
    if (await isMissing(ports, row)) missing.push(row.holder as string)
  }
  return missing
}

function isSuspect({ stage, holder, queue, acquiredAt, now }: LockRow, those?: readonly string[]): boolean {
  if (stage !== 'queued' || holder === null || queue === null || queue === DIRECT_QUEUE) return false
  return those ? those.includes(holder) : acquiredAt !== null && now - acquiredAt >= SUSPECT_MS
}

async function isMissing(ports: SweepPorts, { key, holder, round, queue }: LockRow): Promise<boolean> {
  const ref = { key, messageId: holder as string, round: round ?? 0 }
  const doubt: Doubt = { ...ref, stage: 'queued', token: null, queue: queue as string }
  const { state, outcome } = await settleDoubt(ports, doubt)
  return outcome === 'kept' && (state === 'absent' || state === 'finished')
}
