import { EntryBook } from '../../src/beat/entry-book.js'
import type { CommandBox } from '../../src/lock/command.js'
import type { Count } from '../../src/lock/counter.js'
import { type DeadLetterBox, emptyBox } from '../../src/lock/dead-letter.js'
import type { GuardDefinition } from '../../src/lock/guard-definition.js'
import type { LockKey } from '../../src/lock/key.js'
import { Listeners } from '../../src/lock/notice.js'
import type { LockRecord } from '../../src/lock/record.js'
import { type Recovery, wholeData } from '../../src/lock/recovery.js'
import type { SharedBox } from '../../src/lock/shared.js'
import type { WorkerRow } from '../../src/lock/worker-row.js'
import { type Broker, newBroker } from './broker.js'

/** All that is kept of one app's locks. */
export interface AppLocks {
  readonly records: Map<LockKey, LockRecord>
  readonly workers: Map<string, WorkerRow>
  readonly definitions: Map<string, GuardDefinition>
  readonly dead: DeadLetterBox
  readonly commands: CommandBox
  /** By task and name. */
  readonly counts: Map<string, Count>
  /** When each request was counted. */
  readonly countRequests: Map<string, number>
  readonly shared: SharedBox
  /** In order of asking. */
  readonly sharedRequests: Map<string, { readonly answer: unknown; readonly at: number }>
  /** Where a pruned record is made anew, its tokens go on from here. */
  highestToken: number
  readonly recovery: Recovery
}

/** The "server" behind memory stores: what instances of one process share, and the one clock that decides. */
export interface MemoryServer {
  /** Epoch ms; never goes back. */
  readonly now: () => number
  readonly apps: Map<string, AppLocks>
  readonly schedules: Map<string, EntryBook>
  readonly brokers: Map<string, Broker>
  /** By app: who wants to be told of what happens to its locks. */
  readonly listeners: Map<string, Listeners>
}

/** `now` is epoch ms; the default is the wall clock at the start plus what was measured since. */
export function memoryServer(now: () => number = wallClock()): MemoryServer {
  return { now: monotonic(now), apps: new Map(), schedules: new Map(), brokers: new Map(), listeners: new Map() }
}

/** Follows wall time without its steps: a lease must not end or live on because somebody set the clock. */
function wallClock(): () => number {
  const start = Date.now() - performance.now()
  return () => Math.floor(start + performance.now())
}

function monotonic(now: () => number): () => number {
  let latest = 0
  return () => {
    latest = Math.max(latest, now())
    return latest
  }
}

export function locksOf(server: MemoryServer, app: string): AppLocks {
  const known = server.apps.get(app)
  if (known) return known
  const fresh: AppLocks = {
    records: new Map(),
    workers: new Map(),
    definitions: new Map(),
    dead: emptyBox(),
    commands: new Map(),
    counts: new Map(),
    countRequests: new Map(),
    shared: new Map(),
    sharedRequests: new Map(),
    highestToken: 0,
    recovery: wholeData(),
  }
  server.apps.set(app, fresh)
  return fresh
}

/** Loses all that is kept of one app's locks, as a server that restarts empty does. For tests. */
export function loseLocks(server: MemoryServer, app: string): void {
  server.apps.delete(app)
  locksOf(server, app).recovery.lostAt = server.now()
}

export function listenersOf(server: MemoryServer, app: string): Listeners {
  const known = server.listeners.get(app)
  if (known) return known
  const fresh = new Listeners()
  server.listeners.set(app, fresh)
  return fresh
}

export function bookOf(server: MemoryServer, app: string): EntryBook {
  const known = server.schedules.get(app)
  if (known) return known
  const fresh = new EntryBook(server.now)
  server.schedules.set(app, fresh)
  return fresh
}

export function brokerOf(server: MemoryServer, app: string): Broker {
  const known = server.brokers.get(app)
  if (known) return known
  const fresh = newBroker()
  server.brokers.set(app, fresh)
  return fresh
}
