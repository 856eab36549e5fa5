import type { SweepAnswer } from '../../src/lock/doubt.js'
import type { Promotion } from '../../src/lock/hold.js'
import type { LockKey } from '../../src/lock/key.js'
import type { LockStore } from '../../src/lock/lock-store.js'
import type { RequeueStep, RunStep } from '../../src/lock/message-step.js'
import { emptyRecord, HISTORY_MS, isIdle, type LockRecord } from '../../src/lock/record.js'
import { recoveringMs, recoverUntil } from '../../src/lock/recovery.js'
import { takeNotices } from '../../src/lock/settle.js'
import { lookUp } from '../../src/lock/shared.js'
import { acquire } from '../../src/lock/transition/acquire.js'
import { clear } from '../../src/lock/transition/clear.js'
import { confirm } from '../../src/lock/transition/confirm.js'
import { release } from '../../src/lock/transition/release.js'
import { acknowledge, renew } from '../../src/lock/transition/renew.js'
import { reopen } from '../../src/lock/transition/reopen.js'
import { requeue } from '../../src/lock/transition/requeue.js'
import { resolve, sweep } from '../../src/lock/transition/resolve.js'
import { revoke } from '../../src/lock/transition/revoke.js'
import { run } from '../../src/lock/transition/run.js'
import type { WorkerRow } from '../../src/lock/worker-row.js'
import { memoryCommands } from './commands.js'
import { memoryCounters } from './counters.js'
import { memoryDeadLetters } from './dead-letters.js'
import { viewMessage, viewRecord, viewRows } from './lock-view.js'
import { type AppLocks, listenersOf, locksOf, type MemoryServer } from './server.js'
import { memoryShared } from './shared.js'

const WORKER_KEPT_MS = 86_400_000

/**
 * The lock store of one process, and the reference for all others: a map of records and the pure transitions. Each
 * verb runs without an await between looking and taking, which is all its atomicity.
 */
export function openLockStore({ server, app }: { server: MemoryServer; app: string }): LockStore {
  const { now } = server
  const locks = (): AppLocks => locksOf(server, app)
  const at = (key: LockKey): LockRecord => recordAt(locks(), key)
  const until = (graceMs: number): number => recoverUntil(locks().recovery, graceMs)
  const listeners = listenersOf(server, app)
  const stops = new Set<() => void>()
  const tell = (record: LockRecord): void => {
    for (const topic of takeNotices(record, now())) queueMicrotask(() => listeners.tell(topic))
  }
  const on = <A>(key: LockKey, step: (record: LockRecord) => A): A => {
    const record = at(key)
    const answer = step(record)
    tell(record)
    return answer
  }
  return {
    space: { app },
    now: async () => now(),
    acquire: async (request) => on(request.key, (record) => acquire(record, request, now())),
    confirm: async (messages) => {
      for (const ref of messages) confirm(at(ref.key), ref, now())
    },
    advance: (async (step: RunStep | RequeueStep) =>
      on(step.key, (record) =>
        step.to === 'running'
          ? run(record, step, now(), until(step.leaseMs + step.lockDelayMs))
          : requeue(record, step, now()),
      )) as LockStore['advance'],
    renew: async ({ worker, leases, acked }) => {
      if (worker) {
        if (!locks().workers.has(worker.name)) queueMicrotask(() => listeners.tell('workers'))
        locks().workers.set(worker.name, { ...worker, app, seenAt: now() })
      }
      for (const ref of acked) acknowledge(at(ref.key), ref, now())
      return {
        leases: leases.map((lease) =>
          renew(at(lease.key), lease, now(), until(lease.leaseMs + (lease.claim?.lockDelayMs ?? 0))),
        ),
        now: now(),
      }
    },
    release: async (request) => on(request.key, (record) => release(record, request, now(), until(0))),
    sweep: async (options) => sweepAll(locks(), { ...options, tell }, now()),
    resolve: async (request) => on(request.doubt.key, (record) => resolve(record, request, now(), until(0))),
    list: (query) => viewRows(server, app, query),
    show: async (key) => viewRecord({ app, record: locks().records.get(key), now: now() }),
    clear: async (request) => on(request.key, (record) => clear(record, request, now(), until(0))),
    revoke: async (request) => {
      const key = request.key ?? viewMessage(locks().records, { ...request, now: now() }).key
      if (key === null) return { outcome: 'unknown', now: now() }
      return on(key, (record) => revoke(record, request, now()))
    },
    find: async (messageId, key) => viewMessage(locks().records, { messageId, key, now: now() }),
    reopen: async (ref) => reopen(at(ref.key), ref),
    workers: async ({ allApps }) =>
      (allApps ? [...server.apps.values()] : [locks()]).flatMap((each) => workersOf(each, now())),
    attendance: async () => ({
      workers: workersOf(locks(), now()).map(({ name, seenAt }) => ({ name, seenAt })),
      now: now(),
    }),
    leave: async (worker) => {
      if (locks().workers.delete(worker)) queueMicrotask(() => listeners.tell('workers'))
    },
    listen: (topic, look) => {
      const remove = listeners.add(topic, look)
      queueMicrotask(() => stops.has(stop) && look())
      const stop = () => {
        remove()
        stops.delete(stop)
      }
      stops.add(stop)
      return stop
    },
    define: async (definitions) => {
      for (const [task, definition] of Object.entries(definitions)) {
        if (definition) locks().definitions.set(task, structuredClone(definition))
        else locks().definitions.delete(task)
      }
    },
    definition: async (task) => locks().definitions.get(task) ?? null,
    dead: memoryDeadLetters(server, app),
    commands: memoryCommands(server, app),
    counts: memoryCounters(server, app),
    shared: memoryShared(server, app),
    destroy: async () => void server.apps.delete(app),
    close: async () => {
      for (const stop of stops) stop()
    },
  }
}

function recordAt(locks: AppLocks, key: LockKey): LockRecord {
  const known = locks.records.get(key)
  if (known) return known
  const fresh = { ...emptyRecord(key), lastToken: locks.highestToken }
  locks.records.set(key, fresh)
  return fresh
}

function workersOf(locks: AppLocks, now: number): WorkerRow[] {
  return [...locks.workers.values()].filter((worker) => worker.seenAt + WORKER_KEPT_MS > now)
}

function sweepAll(
  locks: AppLocks,
  options: { limit: number; publishLeaseMs: number; resultMs: number; tell: (record: LockRecord) => void },
  now: number,
): SweepAnswer {
  const promotions: Promotion[] = []
  const doubts: SweepAnswer['doubts'][number][] = []
  for (const record of locks.records.values()) {
    if (promotions.length + doubts.length >= options.limit) break
    const found = sweep(record, now, options, recoverUntil(locks.recovery, 0))
    promotions.push(...found.promotions)
    doubts.push(...found.doubts)
    options.tell(record)
    forget(locks, record, now)
  }
  forgetWorkers(locks, now)
  for (const key of locks.shared.keys()) lookUp(locks.shared, key, now)
  const ms = recoveringMs(recoverUntil(locks.recovery, 0), now)
  return { promotions, doubts, now, ...(ms === undefined ? {} : { recoveringMs: ms }) }
}

/** Drops outcomes and events that nobody can ask for any more, and a record that holds nothing else. */
function forget(locks: AppLocks, record: LockRecord, now: number): void {
  for (const [ref, { keepUntil, resultUntil }] of record.outcomes) {
    if (Math.max(keepUntil, resultUntil) <= now) record.outcomes.delete(ref)
  }
  while ((record.history[0]?.at ?? now) + HISTORY_MS <= now) record.history.shift()
  if (!isIdle(record)) return
  locks.highestToken = Math.max(locks.highestToken, record.lastToken)
  locks.records.delete(record.key)
}

function forgetWorkers(locks: AppLocks, now: number): void {
  for (const [name, worker] of locks.workers) {
    if (worker.seenAt + WORKER_KEPT_MS <= now) locks.workers.delete(name)
  }
}
