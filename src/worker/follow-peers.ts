import type { Emitter } from '../lock/emit.js'
import type { LockStore } from '../lock/lock-store.js'
import type { AppEvents } from '../task-base/event.js'
import { WORKER_DEAD_MS } from '../task-base/locks.js'
import { type LookOut, lookOut } from './look-out.js'

const LOOK_EVERY_MS = 5_000

/**
 * Tells when other workers of the app come and go: soon after where notices come, else within 5 s, and of one that was
 * killed once it was not seen for 15 s. Those that were there before are not told of.
 */
export function followPeers(of: {
  readonly store: Pick<LockStore, 'attendance' | 'listen'>
  readonly worker: string
  readonly events: Emitter<AppEvents>
  readonly trouble: (error: Error) => void
}): LookOut {
  const { store, worker, events, trouble } = of
  let known: ReadonlySet<string> | undefined
  const look = async (): Promise<void> => {
    const { workers, now } = await store.attendance()
    const listed = new Set(workers.map(({ name }) => name))
    const living = new Set(workers.filter(({ seenAt }) => now - seenAt < WORKER_DEAD_MS).map(({ name }) => name))
    for (const other of known ? others(living, known, worker) : []) events.emit('worker:joined', { worker, other })
    for (const other of others(known ?? [], living, worker))
      events.emit('worker:left', { worker, other, why: listed.has(other) ? 'silent' : 'stopped' })
    known = living
  }
  return lookOut({ everyMs: LOOK_EVERY_MS, listen: (ring) => store.listen('workers', ring), look, trouble })
}

/** Who is in `some` and not in `all`, itself left out. */
function others(some: Iterable<string>, all: ReadonlySet<string>, worker: string): string[] {
  return [...some].filter((name) => name !== worker && !all.has(name))
}
