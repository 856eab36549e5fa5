import type { ScheduleStore } from '../../src/beat/schedule-store.js'
import type { LockStore } from '../../src/lock/lock-store.js'
import type { Engine } from '../../src/task-base/engine.js'
import { openEngine } from './engine.js'
import { openLockStore } from './lock-store.js'
import { openScheduleStore } from './schedule-store.js'
import { type MemoryServer, memoryServer } from './server.js'

export { loseLocks, type MemoryServer, memoryServer } from './server.js'

export interface MemoryOptions {
  readonly app: string
  /** The stores' clock, epoch ms. Default: the wall clock, kept from stepping. The engine's delays are real time. */
  readonly now?: () => number
  /** What several openings share. Default: one of its own, so that nothing is shared. */
  readonly server?: MemoryServer
}

/** Store, engine and schedule store within one process: for tests and dry runs. Nothing outlives the process. */
export function openMemory({ app, now, server = memoryServer(now) }: MemoryOptions): {
  readonly lockStore: LockStore
  readonly engine: Engine
  readonly scheduleStore: ScheduleStore
} {
  const of = { server, app }
  return { lockStore: openLockStore(of), engine: openEngine(of), scheduleStore: openScheduleStore(of) }
}
