import type { CommandStore } from './command.js'
import type { CounterStore } from './counter.js'
import type { DeadLetterStore } from './dead-letter.js'
import type { LockKey } from './key.js'
import type { Mode } from './mode.js'
import type { Topic } from './notice.js'
import type { DeliveryInstruction, Instruction, Keep } from './overlap.js'
import type { SharedStore } from './shared.js'

/** `publishing → queued → running`, and back to `queued` for a retry or redelivery; `promoting` for a parked call. */
export type Stage = 'publishing' | 'promoting' | 'queued' | 'running' | 'cooling'

/** How a message ended for good. */
export type FinalOutcome =
  | 'ran'
  | 'failed'
  | 'lock_lost'
  | 'skipped'
  | 'coalesced'
  | 'expired'
  | 'revoked'
  | 'cleared'
  | 'purged'
  | 'replaced'

/** Why a running hold was told to stop; its message ends with this outcome. */
export type CancelledHow = 'cleared' | 'replaced' | 'revoked'

/** The name of a hold until it runs: which message, which round of it (raised when a dead letter is queued again). */
export interface MessageRef {
  readonly key: LockKey
  readonly messageId: string
  readonly round: number
}

/** What the record keeps about a hold, from its publish to its end. */
export interface HoldTerms {
  readonly task: string
  /** For operators: task and key arguments, without control characters; hidden arguments are already hidden here. */
  readonly label: string
  /** The queue that carries the message. */
  readonly queue: string
  /** How many holders the asker allows: its own grant is judged by it, whatever the holders were granted under. */
  readonly limit: number
  readonly mode: Mode
  /** How long the call may hold the key without running, in ms. */
  readonly timeoutMs: number
  /** False for the private key of a call that has no lock: such records are not listed. */
  readonly guarded: boolean
  /** Epoch ms by the store's clock, or null: not to be started before. */
  readonly notBefore: number | null
  /** Epoch ms by the store's clock, or null: worthless after. */
  readonly expiresAt: number | null
}

/** Who has a key, as others see it. Instants are epoch ms by the store's clock. */
export interface Holder {
  readonly id: string
  readonly stage: Stage
  readonly worker: string | null
  /** When this stage began. */
  readonly since: number
  readonly token: number | null
}

/** The end of a message. `result` and `error` are JSON texts. */
export interface OutcomeRecord {
  readonly messageId: string
  readonly round: number
  readonly outcome: FinalOutcome
  /** The token of the run that ended, or null where no body ran. */
  readonly token: number | null
  /** JSON text of the returned value, or null. */
  readonly result: string | null
  /** Why, in a stable upper case word: TIME_LIMIT, MAX_DELIVERIES, UNKNOWN_TASK, TASK_ERROR … or null. */
  readonly code: string | null
  /** JSON text `{name, message, stack?, code?, cause?, errors?}` of an error, or null. */
  readonly error: string | null
  /** The message that covers this one (coalesced), stood in its way (skipped) or took its place (replaced), or null. */
  readonly into: string | null
  /** Epoch ms by the store's clock. */
  readonly at: number
}

/** A parked call whose turn has come: whoever gets this publishes `message` and confirms. Repeating it is harmless. */
export interface Promotion extends MessageRef {
  /** The whole message as the publisher wrote it. */
  readonly message: string
}

/** Every answer carries the store's time in epoch ms. */
interface Answer {
  readonly now: number
}

export interface AcquireRequest extends MessageRef {
  readonly terms: HoldTerms
  readonly whenHeld: Instruction
  /** How long a `publishing` or `promoting` hold waits for its confirmation, in ms. */
  readonly publishLeaseMs: number
  /** The whole message text, kept if the call is parked. */
  readonly message: string
  /** How long the outcome of a coalesced call is kept, in ms. */
  readonly resultMs: number
}

export type AcquireAnswer = Answer &
  /** `replaced`: the messages that this one ended by taking their place; only where there are any. */
  (
    | { readonly outcome: 'granted'; readonly replaced?: readonly string[] }
    /** The message already has its hold and is past publishing. */
    | { readonly outcome: 'repeated'; readonly stage: Stage }
    | { readonly outcome: 'parked'; readonly behind: Holder; readonly replaced?: readonly string[] }
    | { readonly outcome: 'coalesced'; readonly into: string; readonly behind: Holder }
    | {
        readonly outcome: 'refused'
        readonly holder: Holder
        readonly remainingMs: number
        readonly doubt: Doubt | null
        /** As many calls are parked as the policy allows. */
        readonly full: boolean
      }
    | { readonly outcome: 'finished'; readonly record: OutcomeRecord }
  )

/** Ask to run a delivered message. `owner` names this attempt: asking again with it gives the same answer. */
export interface RunStep extends MessageRef {
  readonly to: 'running'
  readonly terms: HoldTerms
  readonly owner: string
  readonly worker: string
  readonly barrier: 'none' | 'session' | 'quorum'
  /** The permit this run wants, 0 … limit − 1: chosen by the caller, who already holds its barrier. */
  readonly slot: number
  readonly leaseMs: number
  readonly lockDelayMs: number
  /** How many starts without an end before the message is given up. */
  readonly maxDeliveries: number
  /** Epoch ms by the store's clock of the publish. */
  readonly publishedAt: number
  readonly whenHeld: DeliveryInstruction
  /** For `replace`: a holder that has run for less is waited for, not cancelled. */
  readonly minRunMs: number
  readonly publishLeaseMs: number
  readonly resultMs: number
}

export type RunAnswer = Answer &
  (
    | {
        readonly outcome: 'granted'
        readonly token: number
        /** Starts since the last retry, this one included. */
        readonly deliveries: number
        /** Retries asked for by the task so far. */
        readonly retries: number
        readonly expiresAt: number
        /** The parked call that has its turn because this start gave a place up. */
        readonly promotion: Promotion | null
      }
    /** The message has its place; another run has this slot. `taken`: all slots in use. Nothing changed. */
    | {
        readonly outcome: 'slotTaken'
        readonly taken: readonly number[]
        readonly holder: Holder
        readonly remainingMs: number
      }
    | { readonly outcome: 'early'; readonly remainingMs: number }
    | { readonly outcome: 'refused'; readonly holder: Holder; readonly remainingMs: number }
    /** Ended here and now, its outcome is recorded: coalesced, skipped, or failed with MAX_DELIVERIES. */
    | { readonly outcome: 'ended'; readonly record: OutcomeRecord; readonly promotion: Promotion | null }
    | { readonly outcome: 'finished'; readonly record: OutcomeRecord }
  )

/** Give a running hold back to its own message: for a retry, or because its process died. */
export interface RequeueStep extends MessageRef {
  readonly to: 'queued'
  readonly token: number
  /** `unstarted`: no body ran after all, so the start counts for nothing. */
  readonly reason: 'retry' | 'redelivery' | 'unstarted'
  readonly delayMs: number
  readonly maxDeliveries: number
  readonly publishLeaseMs: number
  readonly resultMs: number
}

export type RequeueAnswer = Answer &
  (
    | { readonly outcome: 'queued'; readonly notBefore: number }
    /** Given up (MAX_DELIVERIES) or cancelled meanwhile: the outcome is recorded and the key handed on. */
    | { readonly outcome: 'ended'; readonly record: OutcomeRecord; readonly promotion: Promotion | null }
    | { readonly outcome: 'finished'; readonly record: OutcomeRecord }
    | { readonly outcome: 'stale' }
  )

export interface Renewal {
  readonly key: LockKey
  readonly messageId: string
  readonly token: number
  readonly leaseMs: number
  readonly limit: number
  readonly label: string
}

export type RenewalAnswer =
  | { readonly outcome: 'renewed'; readonly expiresAt: number }
  /** `ended`: the lease ran out or the hold is gone; `taken`: a higher token; `cancelled`: cleared, replaced or revoked. */
  | { readonly outcome: 'lost'; readonly reason: 'ended' | 'taken' | 'cancelled' }
  /** Could not be looked at now; neither renewed nor lost. */
  | { readonly outcome: 'busy' }

/** One worker as others see it. Written with its batch of renewals; dead when not seen for 15 s. */
export interface WorkerRow {
  readonly app: string
  readonly name: string
  readonly host: string
  readonly pid: number
  readonly queues: readonly string[]
  readonly tasks: readonly string[]
  /** By task, how it is guarded: a mark that is the same where the definition is. */
  readonly guards: Readonly<Record<string, string>>
  readonly version: string
  readonly concurrency: number
  /** Runs that it held at its last sign of life; the keeper counts them. Absent: of an earlier version. */
  readonly running?: number
  /** Epoch ms. */
  readonly startedAt: number
  /** Epoch ms by the store's clock of the last sign of life; the store sets it, what is sent is ignored. */
  readonly seenAt: number
}

export interface Attendance extends Answer {
  readonly workers: readonly Pick<WorkerRow, 'name' | 'seenAt'>[]
}

export interface RenewBatch {
  readonly worker: WorkerRow | null
  readonly leases: readonly Renewal[]
  /** Finished messages that the engine has acknowledged: their outcomes need no longer outlive a redelivery. */
  readonly acked: readonly MessageRef[]
}

export interface RenewAnswer extends Answer {
  /** One a lease, in the order asked. */
  readonly leases: readonly RenewalAnswer[]
}

/** End a message. `token` is the run's, or null for a message that is not running (expired, unknown task …). */
export interface ReleaseRequest extends MessageRef {
  readonly token: number | null
  readonly outcome: FinalOutcome
  readonly code: string | null
  readonly result: string | null
  readonly error: string | null
  readonly publishLeaseMs: number
  readonly resultMs: number
}

export type ReleaseAnswer = Answer &
  (
    | { readonly outcome: 'released'; readonly record: OutcomeRecord; readonly promotion: Promotion | null }
    /** Already ended under another token, or by another hand: nothing changed. */
    | { readonly outcome: 'finished'; readonly record: OutcomeRecord }
    /** The token is not, or no longer, the one that holds: nothing changed. */
    | { readonly outcome: 'stale' }
  )

/**
 * A hold that only the engine can settle: its publisher fell silent, or its runner's lease and lock delay are over. A
 * sweep never doubts a queued one; whoever found it in the way for long may (`token`: null).
 */
export interface Doubt extends MessageRef {
  readonly stage: 'publishing' | 'running' | 'queued'
  readonly token: number | null
  readonly queue: string
}

export interface SweepAnswer extends Answer {
  readonly promotions: readonly Promotion[]
  readonly doubts: readonly Doubt[]
}

/** Where the engine has a message. */
export type EngineState = 'waiting' | 'delayed' | 'active' | 'finished' | 'absent'

export interface ResolveRequest {
  readonly doubt: Doubt
  readonly state: EngineState
  readonly maxDeliveries: number
  /** How long a queued message must be missing, from one look to a later one, to end as `purged`. Default: 2,000 ms. */
  readonly missingMs?: number
  readonly publishLeaseMs: number
  readonly resultMs: number
}

export type ResolveAnswer = Answer &
  (
    | { readonly outcome: 'queued' }
    /** `record`: how its message ended; null where it was never published. */
    | { readonly outcome: 'freed'; readonly record: OutcomeRecord | null; readonly promotion: Promotion | null }
    /** No longer in doubt, its barrier is still held, or queued and missing for the first time: it has its place. */
    | { readonly outcome: 'kept' }
  )

export interface ListQuery {
  readonly task?: string
  readonly stage?: Stage
  /** Only holds acquired at least this many ms ago. */
  readonly olderThanMs?: number
  /** All apps of the server; default false: the store's own. */
  readonly allApps?: boolean
}

/** One holder of a listed key; one row with `holder: null` where only parked calls remain. */
export interface LockRow extends Answer {
  readonly app: string
  readonly key: LockKey
  readonly task: string
  readonly label: string
  readonly stage: Stage | null
  readonly holder: string | null
  /** Of the holder's message. */
  readonly round: number | null
  readonly token: number | null
  readonly worker: string | null
  readonly queue: string | null
  readonly barrier: 'none' | 'session' | 'quorum' | null
  /** Of a running hold with barrier `session`: its session lives and keeps everyone out, also when its lease is over. */
  readonly barrierHeld: boolean
  /** Epoch ms. */
  readonly acquiredAt: number | null
  /** Epoch ms; of a running hold, the end of its lease. */
  readonly expiresAt: number | null
  readonly cancelledBy: string | null
  readonly cancelledHow: CancelledHow | null
  readonly parked: number
  readonly limit: number
}

export interface ParkedView {
  readonly id: string
  /** Epoch ms. */
  readonly since: number
  readonly expiresAt: number | null
}

/** What ends a hold without an outcome of its message; the message passes the guard again if it is delivered. */
export interface HoldEvent {
  /** Epoch ms by the store's clock. */
  readonly at: number
  /** `lapsed`: waited longer than its timeout. `cleared`: by an operator. `unpublished`: never reached the engine. */
  readonly event: 'lapsed' | 'cleared' | 'unpublished'
  readonly messageId: string
  /** Who did it, where somebody did. */
  readonly by: string | null
}

export interface LockView extends Answer {
  readonly rows: readonly LockRow[]
  readonly parked: readonly ParkedView[]
  /** The newest first, at most 20. */
  readonly outcomes: readonly OutcomeRecord[]
  /** The newest first, at most 20. */
  readonly history: readonly HoldEvent[]
}

/** Take one call back. `round`: of the message, where nothing of it is known. */
export interface RevokeRequest {
  /** Null: found by its message id, as far as the store knows it. A round that was reopened is followed by the next. */
  readonly key: LockKey | null
  readonly messageId: string
  readonly round: number
  /** Also stop it if it runs. */
  readonly terminate: boolean
  readonly by: string
  readonly publishLeaseMs: number
  readonly resultMs: number
}

export type RevokeAnswer = Answer &
  /** It will not run: a delivery that still comes is answered `finished`. */
  (
    | {
        readonly outcome: 'revoked'
        readonly key: LockKey
        readonly record: OutcomeRecord
        readonly promotion: Promotion | null
      }
    /** It runs and was told to stop; its outcome is written when it has. */
    | { readonly outcome: 'cancelled'; readonly holder: Holder }
    /** It runs and was left alone. */
    | { readonly outcome: 'running'; readonly holder: Holder }
    | { readonly outcome: 'finished'; readonly record: OutcomeRecord }
    /** Asked for without a key, and nothing is known of the message. */
    | { readonly outcome: 'unknown' }
  )

export interface ClearRequest {
  readonly key: LockKey
  /** Also discard parked calls. */
  readonly parked: boolean
  /** What to do with a running holder whose lease lives: leave it, have it stopped, or drop its hold unseen. */
  readonly running: 'keep' | 'cancel' | 'drop'
  /** Who clears, for the record. */
  readonly by: string
  readonly publishLeaseMs: number
  readonly resultMs: number
}

/** What became of the session that a holder's barrier hangs on: that of its process, stopped or not. */
export interface SessionEnd {
  /** Message id. */
  readonly holder: string
  readonly worker: string | null
  /** `denied`: this login may not end it. `stayed`: it was told to end and has not within 2 s. Both: the holder is kept. */
  readonly outcome: 'ended' | 'denied' | 'stayed'
  /** So many other barriers hung on it. */
  readonly others: number
}

export interface ClearAnswer extends Answer {
  readonly freed: readonly Holder[]
  /** Told to stop; they keep the key until they have. */
  readonly cancelled: readonly Holder[]
  /** Running and left alone. */
  readonly kept: readonly Holder[]
  /** Message ids of discarded parked calls. */
  readonly discarded: readonly string[]
  /** Sessions of the database whose barrier kept the key though nobody renewed it, or though it was dropped. */
  readonly sessions: readonly SessionEnd[]
  readonly promotion: Promotion | null
}

/** What is known about one message. Its key may be known though nothing else is: a further round is on its way. */
export interface MessageView extends Answer {
  readonly key: LockKey | null
  readonly outcome: OutcomeRecord | null
  readonly hold: { readonly stage: Stage; readonly retries: number; readonly worker: string | null } | null
  readonly parked: boolean
}

/** How a task is guarded, for publishers that do not have its code. JSON, at most 16 kB. */
export interface GuardDefinition {
  readonly keys: readonly string[] | null
  readonly params: readonly string[] | null
  readonly defaults: Readonly<Record<string, unknown>> | null
  readonly limit: number
  readonly mode: Mode
  readonly timeoutMs: number
  readonly overlap: string
  readonly keep: Keep
  readonly maxParked: number
  readonly minRunMs: number
  readonly redact: boolean
  /** True where the key is a function of the user's: only its own process can compute it. */
  readonly opaque: boolean
}

/**
 * Who may hold what, for how long: one record a key, each verb one atomic step and one round trip.
 *
 * Bound to one app's name at opening. Every verb first settles the key: what has expired ends, what is due is popped.
 * Asking again for the same message (`acquire`), attempt (`owner`) or run (`token`) gives the same answer and has no
 * second effect. The server's clock alone decides. A server that does not answer is {@link StoreUnavailable}, never a
 * refusal.
 */
export interface LockStore {
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

/** How a thread or a child opens the same store: an adapter module and options that survive a structured clone. */
export interface LockSource {
  /** `file:` URL of a module that exports `openLockStore(options)` and, where it has one, `openBarrier(options)`. */
  readonly module: string
  readonly options: Readonly<Record<string, unknown>>
}
