import type { RunBarrier } from '../lock/barrier.js'
import type { Doubt } from '../lock/doubt.js'
import type { Emitter } from '../lock/emit.js'
import type { Holder, HoldTerms, MessageRef, Promotion } from '../lock/hold.js'
import type { Keeper } from '../lock/keeper.js'
import type { LockStore } from '../lock/lock-store.js'
import type { RunAnswer, RunStep } from '../lock/message-step.js'
import type { Claim } from '../lock/renewal.js'
import { monotonicNs } from '../lock/trust.js'
import type { DirectLosses } from './direct-loss.js'
import type { DirectCall } from './direct-options.js'
import type { AppEvents, EventSubject } from './event.js'
import { PUBLISH_LEASE_MS } from './publish-guard.js'

/** What a direct run needs of its process. */
export interface DirectPorts {
  readonly store: LockStore
  readonly barrier: RunBarrier | undefined
  readonly keeper: Pick<Keeper, 'hold' | 'drop' | 'acked' | 'feed'>
  readonly follow: DirectLosses['follow']
  /** A parked call of a task goes to the engine. */
  readonly promote: (promotion: Promotion) => Promise<void>
  /** Settles a hold that stands in the way and whose time is over. */
  readonly settle: (doubt: Doubt) => Promise<unknown>
  /** Epoch ms by the store's clock. */
  readonly now: () => number
  readonly events: Emitter<AppEvents>
  readonly worker: string
  readonly leaseMs: number
  readonly lockDelayMs: number
  /** Aborted when nobody may wait any more. */
  readonly closing: AbortSignal
}

/** One call of guarded code. Its message exists in the lock record only: no engine carries it. */
export interface DirectRun {
  readonly ports: DirectPorts
  readonly call: DirectCall
  readonly ref: MessageRef
  /** Names this attempt: asking again with it gives the same answer. */
  readonly runId: string
  readonly terms: HoldTerms
  /** Of a request without an answer: if it was granted, trust counts from there. */
  unansweredNs: bigint | undefined
}

export interface Granted {
  readonly outcome: 'granted'
  readonly token: number
  readonly claim: Claim
  /** Monotonic ns before barrier and grant were asked for. */
  readonly sentAtNs: bigint
}

export interface Refused {
  readonly outcome: 'refused'
  readonly holder: Holder
  readonly remainingMs: number
}

/**
 * `seated`: somebody sits behind the barrier. `over`: the call ended in the record, while it waited there. `recovering`:
 * the store has lost data and starts nothing yet.
 */
export type Try =
  | Granted
  | Refused
  | { readonly outcome: 'seated' | 'over' }
  | { readonly outcome: 'recovering'; readonly remainingMs: number }

const RESULT_MS = 60_000

/** What every step of a direct run says: no result and no error is stored, they go to the caller. */
export const NOTHING_KEPT = { publishLeaseMs: PUBLISH_LEASE_MS, resultMs: RESULT_MS } as const

/** One try to start: barrier, then the record. Dies it between them, the barrier goes with the process. */
export async function tryToStart(run: DirectRun): Promise<Try> {
  const { ports, ref } = run
  const seat = { key: ref.key, slot: 0 }
  const sentAtNs = run.unansweredNs ?? monotonicNs()
  if (ports.barrier && (await ports.barrier.take(seat)) === 'refused') return { outcome: 'seated' }
  const step = runStep(run)
  let answer: RunAnswer | undefined
  try {
    answer = await ports.store.advance(step)
  } finally {
    run.unansweredNs = answer ? undefined : sentAtNs
    if (answer?.outcome !== 'granted') await leaveSeat(run)
  }
  if (answer.outcome === 'granted')
    return { outcome: 'granted', token: answer.token, claim: claimOf(step, answer), sentAtNs }
  if (answer.outcome === 'recovering') return answer
  if (answer.outcome === 'refused' || answer.outcome === 'slotTaken') {
    const { holder, remainingMs } = answer
    return { outcome: 'refused', holder, remainingMs }
  }
  return { outcome: 'over' }
}

function claimOf(step: RunStep, { deliveries, retries }: Extract<RunAnswer, { outcome: 'granted' }>): Claim {
  const { round, terms, owner, worker, barrier, slot, lockDelayMs } = step
  return { round, terms, owner, worker, barrier, slot, lockDelayMs, deliveries, retries }
}

function runStep({ ports, ref, runId, terms }: DirectRun): RunStep {
  return {
    ...ref,
    ...NOTHING_KEPT,
    to: 'running',
    terms,
    owner: runId,
    worker: ports.worker,
    barrier: ports.barrier?.kind ?? 'none',
    slot: 0,
    leaseMs: ports.leaseMs,
    lockDelayMs: ports.lockDelayMs,
    maxDeliveries: 1,
    publishedAt: 0,
    // Refused without a trace: skipping is decided here, and nothing is left behind in the record.
    whenHeld: 'wait',
    minRunMs: 0,
  }
}

export async function leaveSeat({ ports, ref }: DirectRun): Promise<void> {
  try {
    await ports.barrier?.drop({ key: ref.key, slot: 0 })
  } catch (error) {
    ports.events.emit('trouble', { where: 'barrier', error: error as Error })
  }
}

/** The next parked call has its turn; if this fails a sweeper does it. */
export async function handOn(ports: DirectPorts, promotion: Promotion | null): Promise<void> {
  if (!promotion) return
  try {
    await ports.promote(promotion)
  } catch (error) {
    ports.events.emit('trouble', { where: 'promotion', error: error as Error })
  }
}

export function directSubject({ call, ref }: DirectRun): EventSubject {
  return { id: ref.messageId, task: call.name, key: call.key, label: call.label }
}
