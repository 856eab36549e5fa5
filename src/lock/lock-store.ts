import type { ClearAnswer, ClearRequest } from './clear.js'
import type { CommandStore } from './command.js'
import type { CounterStore } from './counter.js'
import type { DeadLetterStore } from './dead-letter.js'
import type { ResolveAnswer, ResolveRequest, SweepAnswer } from './doubt.js'
import type { GuardDefinition } from './guard-definition.js'
import type { MessageRef } from './hold.js'
import type { LockKey } from './key.js'
import type { ListQuery, LockRow, LockView, MessageView } from './lock-view.js'
import type {
  AcquireAnswer,
  AcquireRequest,
  ReleaseAnswer,
  ReleaseRequest,
  RequeueAnswer,
  RequeueStep,
  RunAnswer,
  RunStep,
} from './message-step.js'
import type { Topic } from './notice.js'
import type { RenewAnswer, RenewBatch } from './renewal.js'
import type { RevokeAnswer, RevokeRequest } from './revoke.js'
import type { SharedStore } from './shared.js'
import type { Attendance, WorkerRow } from './worker-row.js'

/**
 * Who may hold what, for how long: one record a key, each verb one atomic step and one round trip.
 *
 * Bound to one app's name at opening. Every verb first settles the key: what has expired ends, what is due is popped.
 * Asking again for the same message (`acquire`), attempt (`owner`) or run (`token`) gives the same answer and has no
 * second effect. The server's clock alone decides. A server that does not answer is {@link StoreUnavailable}, never a
 * refusal.
 */
export interface LockStore {
  /** Where its locks are kept: travels with each grant, for whoever fences writes by its token. */
  readonly space: LockSpace
  /** The store's clock, epoch ms. Also the cheapest proof that the server answers. */
  now(): Promise<number>
  acquire(request: AcquireRequest): Promise<AcquireAnswer>
  /** `publishing | promoting → queued`, many at once; anything else is left as it is. */
  confirm(messages: readonly MessageRef[]): Promise<void>
  advance(step: RunStep): Promise<RunAnswer>
  advance(step: RequeueStep): Promise<RequeueAnswer>
  renew(batch: RenewBatch): Promise<RenewAnswer>
  release(request: ReleaseRequest): Promise<ReleaseAnswer>
  /** Ends what is over and hands out what is due: promotions to publish, doubts to ask the engine about. */
  sweep(options: {
    readonly limit: number
    readonly publishLeaseMs: number
    readonly resultMs: number
  }): Promise<SweepAnswer>
  resolve(request: ResolveRequest): Promise<ResolveAnswer>
  /** In key order, a page at a time: bounded memory whatever the number of locks. */
  list(query: ListQuery): AsyncIterable<LockRow>
  show(key: LockKey): Promise<LockView | null>
  clear(request: ClearRequest): Promise<ClearAnswer>
  revoke(request: RevokeRequest): Promise<RevokeAnswer>
  find(messageId: string, key: LockKey | null): Promise<MessageView>
  /**
   * Says that a round after this one is on its way, maybe without a hold: how this round ended is no longer how the
   * message did, for `find` and `revoke`. Its own redelivery is answered as before.
   */
  reopen(ref: MessageRef): Promise<void>
  /** Live and dead workers of this app (or of all apps), at most a day old. */
  workers(options: { readonly allApps: boolean }): Promise<readonly WorkerRow[]>
  /** This app's workers by name, and when each was last seen (epoch ms by the store's clock): cheap, to be asked often. */
  attendance(): Promise<Attendance>
  /** Takes a worker off the list at its end. */
  leave(worker: string): Promise<void>
  /**
   * Calls `look` soon after what the topic names has happened, and once whenever hearing begins or begins again, since
   * something may have been missed. Only a hint: notices may be lost, late, repeated or forged, so `look` asks the store,
   * and whoever waits asks by itself now and then. Where notices cannot be had `look` is never called. Nothing is thrown;
   * answers how to stop.
   */
  listen(topic: Topic, look: () => void): () => void
  /** Tells publishers how tasks are guarded; null: this task has no lock (any more). */
  define(definitions: Readonly<Record<string, GuardDefinition | null>>): Promise<void>
  definition(task: string): Promise<GuardDefinition | null>
  readonly dead: DeadLetterStore
  readonly commands: CommandStore
  readonly counts: CounterStore
  readonly shared: SharedStore
  /** Forgets everything of this app: locks, parked calls, outcomes, definitions, dead letters, commands, counters, shared values. For tests and the demo's end. */
  destroy(): Promise<void>
  close(): Promise<void>
}

/** Where an app's locks are kept; JSON. */
export interface LockSpace {
  /** Keys of two apps that read the same are two keys. */
  readonly app: string
  /** On Postgres: the schema of the locks, and its id, by which a transaction sees whether it is on their very server. */
  readonly postgres?: { readonly schema: string; readonly id: string }
}

/** How a thread or a child opens the same store: an adapter module and options that survive a structured clone. */
export interface LockSource {
  /** `file:` URL of a module that exports `openLockStore(options)` and, where it has one, `openBarrier(options)`. */
  readonly module: string
  readonly options: Readonly<Record<string, unknown>>
}
