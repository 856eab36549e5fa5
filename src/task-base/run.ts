import type { RunBarrier, TakenSeat } from '../lock/barrier.js'
import type { Emitter } from '../lock/emit.js'
import type { Holder, MessageRef, Promotion } from '../lock/hold.js'
import type { LockStore } from '../lock/lock-store.js'
import type { OutcomeRecord } from '../lock/outcome.js'
import type { Claim } from '../lock/renewal.js'
import type { BodyEnd, BodyRequest } from './body.js'
import type { Verdict } from './engine.js'
import type { AppEvents } from './event.js'
import type { Message } from './message.js'
import { subject } from './sweeper.js'

/** What a lease needs to be kept: see the keeper. */
export interface KeptLease extends MessageRef {
  readonly token: number
  readonly limit: number
  readonly slot: number
  readonly label: string
  /** The barrier's seat of the key, if it has one. */
  readonly seat: number | undefined
  /** `process.hrtime.bigint()` before the grant was asked for, or the seat: trust counts from here. */
  readonly sentAtNs: bigint
  readonly claim: Claim
}

export interface ExecutionPorts {
  readonly store: LockStore
  readonly barrier: RunBarrier | undefined
  /** Renews from now on; answers the monotonic deadline until which the lease may be trusted. */
  readonly hold: (lease: KeptLease, runId: string) => bigint
  readonly drop: (runId: string) => void
  readonly run: (body: BodyRequest) => Promise<BodyEnd>
  readonly promote: (promotion: Promotion) => Promise<void>
  /** Epoch ms by the store's clock. */
  readonly now: () => number
  readonly events: Emitter<AppEvents>
  readonly worker: string
  readonly leaseMs: number
  readonly lockDelayMs: number
  /** Aborted when the worker may wait for nothing any more. */
  readonly signal: AbortSignal
}

/** A server that does not answer is asked again this soon. */
export const TROUBLE_MS = 2_000

/** What bounds a run: of its call, its task or its worker. */
export interface RunBounds {
  readonly softTimeLimitMs: number | null
  readonly timeLimitMs: number | null
  /** Starts without an end, until the message is given up. */
  readonly maxDeliveries: number
}

/** One delivery on its way through the guard. */
export interface Run {
  readonly ports: ExecutionPorts
  readonly message: Message
  readonly ref: MessageRef
  readonly runId: string
  readonly bounds: RunBounds
  /** The barrier's seat that this run has taken. Dropping one that was not taken could drop another run's. */
  readonly seat: TakenSeat | undefined
  readonly slot: number
  /** Whether the run is to hold a seat: there is a barrier, and bodies may not overlap. */
  readonly barred: boolean
}

/** What the record granted to a run. */
export interface Granted {
  readonly token: number
  readonly deliveries: number
  readonly retries: number
  readonly deadlineNs: bigint
}

/** Gives the run's seat of the barrier back, if it has one. */
export async function leave(run: Run): Promise<void> {
  if (!run.seat) return
  try {
    await run.ports.barrier?.drop(run.seat)
  } catch (error) {
    run.ports.events.emit('trouble', { where: 'barrier', error: error as Error })
  }
}

/** The next parked call goes out at once; if that fails a sweeper does it. */
export async function promote(ports: ExecutionPorts, promotion: Promotion | null): Promise<void> {
  if (!promotion) return
  try {
    await ports.promote(promotion)
  } catch (error) {
    ports.events.emit('trouble', { where: 'promotion', error: error as Error })
  }
}

export function putBack(
  run: Pick<Run, 'ports' | 'message'>,
  told: { readonly why: string; readonly holder: Holder | null; readonly delayMs: number },
): Verdict {
  const about = { ...subject(run.message), worker: run.ports.worker }
  run.ports.events.emit('run:putBack', { ...about, ...told })
  return { verdict: 'putBack', delayMs: told.delayMs }
}

export function endOf({ outcome, code, error }: OutcomeRecord): Pick<OutcomeRecord, 'outcome' | 'code' | 'error'> {
  return { outcome, code, error }
}
