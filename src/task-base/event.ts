import type { Holder, Stage } from '../lock/hold.js'
import type { LockKey } from '../lock/key.js'
import type { FinalOutcome } from '../lock/outcome.js'
import type { RevokeAnswer } from '../lock/revoke.js'
import type { UnstartedReason } from './body.js'

/** Which call an event is about. */
export interface EventSubject {
  readonly id: string
  readonly task: string
  readonly key: LockKey
  /** Task and key arguments for people; arguments that are to be hidden are hidden. */
  readonly label: string
}

/** What an app tells its listeners (`app.on`). Listeners that throw harm nobody; the core logs nothing itself. */
export interface AppEvents {
  /** A call was accepted or not. `holder`: who stood in its way. */
  readonly 'call:published': EventSubject
  readonly 'call:parked': EventSubject & { readonly holder: Holder }
  readonly 'call:coalesced': EventSubject & { readonly holder: Holder; readonly into: string }
  readonly 'call:refused': EventSubject & { readonly holder: Holder; readonly remainingMs: number }
  /** A call ended unrun because the call `by` took its place. A run that is replaced ends with `run:ended`. */
  readonly 'call:replaced': { readonly id: string; readonly key: LockKey; readonly by: string }
  /** Somebody took a call back; `outcome`: what it came to. */
  readonly 'call:revoked': { readonly id: string; readonly outcome: RevokeAnswer['outcome'] }
  /** A call could not be published: the broker refused it. */
  readonly 'call:failed': EventSubject & { readonly code: string }
  /** A call ended unrun by an operator's or a caller's hand. */
  readonly 'call:ended': { readonly id: string; readonly key: LockKey; readonly outcome: FinalOutcome }
  /** A parked call's turn came: its message is with the engine. */
  readonly 'call:promoted': EventSubject
  /** A body started. `deliveries` above 1: an earlier start of this message did not end. */
  readonly 'run:started': EventSubject & {
    readonly worker: string
    readonly token: number
    readonly deliveries: number
    readonly lateMs: number
  }
  /** A message ended for good. */
  readonly 'run:ended': EventSubject & {
    readonly worker: string
    readonly outcome: FinalOutcome
    readonly code: string | null
    /** JSON text `{name, message, stack?, code?, cause?, errors?}` of the task's own error, or null. */
    readonly error: string | null
    readonly ms: number
    /** Which attempt ended it, counted from 1 over retries and redeliveries; 0: it ended before a body of it began here. */
    readonly attempt: number
  }
  /** A message that was given up is kept as a dead letter. */
  readonly 'run:buried': EventSubject & { readonly worker: string; readonly code: string }
  readonly 'run:retried': EventSubject & {
    readonly worker: string
    readonly retries: number
    readonly countdownMs: number
    readonly error: string | null
  }
  /** The body's process died; that is written down `ms` after the exit was seen. */
  readonly 'run:crashed': EventSubject & {
    readonly worker: string
    readonly detail: string
    /** The key is `queued` for its own redelivery; false: it is not started again. */
    readonly again: boolean
    readonly ms: number
  }
  /** A run got its key, but its body never began: put back, and its start counts for nothing. `why`: no child process
   * came in time, or its worker stops, or its lock was lost or cleared. */
  readonly 'run:unstarted': EventSubject & { readonly worker: string; readonly why: UnstartedReason }
  readonly 'run:lost': EventSubject & { readonly worker: string; readonly reason: string }
  /** A delivery that could not run now: put back with its place kept. */
  readonly 'run:putBack': EventSubject & {
    readonly worker: string
    readonly why: string
    readonly holder: Holder | null
    readonly delayMs: number
  }
  /** A message came again after its end: it ran nothing. */
  readonly 'run:duplicate': EventSubject & { readonly worker: string; readonly outcome: FinalOutcome }
  /** This host's wall clock is so far ahead of the locks' server's (negative: behind): delays go wrong between hosts. */
  readonly 'clock:off': { readonly aheadMs: number }
  /** A worker started that guards a task otherwise than one that runs: `workers` names them all. */
  readonly 'guard:differs': { readonly task: string; readonly workers: readonly string[] }
  /** A step with a token that is no longer the key's: it changed nothing. */
  readonly 'lock:stale': { readonly key: LockKey; readonly id: string; readonly step: 'release' | 'requeue' | 'renew' }
  /**
   * The locks' server has lost data (emptied, restarted, or failed over): for so long nothing is started, so that runs
   * which outlived that come to light. Told once a loss by each worker, beat and process with direct runs.
   */
  readonly 'lock:recovering': { readonly remainingMs: number }
  /** A hold that only the engine could settle was settled. */
  readonly 'lock:resolved': {
    readonly key: LockKey
    readonly id: string
    readonly stage: Stage
    readonly outcome: 'queued' | 'freed'
    /** How its message ended, where it did: `purged` of a queued one that the engine no longer had. */
    readonly ended: FinalOutcome | null
  }
  /** A worker takes no messages: none of its child processes can start. `trouble` tells why. */
  readonly 'worker:stalled': { readonly worker: string }
  /** Its children start again, `ms` after it stalled. */
  readonly 'worker:resumed': { readonly worker: string; readonly ms: number }
  /** A worker runs so many bodies at once from now on. */
  readonly 'worker:resized': { readonly worker: string; readonly size: number }
  /** Another worker of the app came, or has gone: it stopped, or was not seen for 15 s (`silent`). */
  readonly 'worker:joined': { readonly worker: string; readonly other: string }
  readonly 'worker:left': { readonly worker: string; readonly other: string; readonly why: 'stopped' | 'silent' }
  /** Somebody steers a worker: what it is told, and by whom. */
  readonly 'worker:told': { readonly worker: string; readonly command: string; readonly from: string }
  /** Trouble that is retried: a server that does not answer, a lost connection. */
  readonly trouble: { readonly where: string; readonly error: Error }
}
