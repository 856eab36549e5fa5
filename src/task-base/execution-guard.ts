import { setTimeout as sleep } from 'node:timers/promises'
import type { Barrier, Seat } from '../lock/barrier.js'
import type { Emitter } from '../lock/emit.js'
import { ServerUnavailable } from '../lock/error.js'
import type {
  FinalOutcome,
  Holder,
  LockStore,
  MessageRef,
  OutcomeRecord,
  Promotion,
  ReleaseAnswer,
  RequeueAnswer,
  RunAnswer,
  RunStep,
} from '../lock/lock-store.js'
import { runSet } from '../lock/mode.js'
import { deliveryInstruction } from '../lock/overlap.js'
import { seatOrder } from '../lock/seat-order.js'
import { ulid } from '../lock/ulid.js'
import type { BodyEnd, BodyRequest } from './body.js'
import type { Verdict } from './engine.js'
import type { AppEvents } from './event.js'
import { encodeMessage, type Message } from './message.js'
import { PUBLISH_LEASE_MS, termsOf } from './publish-guard.js'
import { MAX_DELIVERIES, subject } from './sweeper.js'

/** What a lease needs to be kept: see the keeper. */
export interface KeptLease extends MessageRef {
  readonly token: number
  readonly limit: number
  readonly slot: number
  readonly label: string
  /** `process.hrtime.bigint()` before the grant was asked for: trust counts from here. */
  readonly sentAtNs: bigint
}

export interface ExecutionPorts {
  readonly store: LockStore
  readonly barrier: Barrier | undefined
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

export interface TaskLimits {
  readonly softTimeLimitMs: number | null
  readonly timeLimitMs: number | null
}

/** Longest wait of a delivery that found its key held; it keeps its place meanwhile. */
const PUT_BACK_MS = 30_000
/** A server that does not answer is asked again this soon. */
const TROUBLE_MS = 2_000
const BARRIER_BUSY_MS = 1_000
const RELEASE_RETRY_MS = 250

interface Run {
  readonly ports: ExecutionPorts
  readonly message: Message
  readonly ref: MessageRef
  readonly runId: string
  /** The barrier's seat that this run has taken. Dropping one that was not taken could drop another run's. */
  readonly seat: Seat | undefined
  readonly slot: number
  /** Whether the run is to hold a seat: there is a barrier, and bodies may not overlap. */
  readonly barred: boolean
}

type SlotTaken = Extract<RunAnswer, { outcome: 'slotTaken' }>

interface Granted {
  readonly token: number
  readonly deliveries: number
  readonly retries: number
  readonly deadlineNs: bigint
}

/**
 * One delivery: barrier, grant, body, and the end in reverse order. The verdict is given only once the record knows
 * the end, so a process that dies anywhere in here is followed by a redelivery that the record answers rightly.
 */
export async function guardExecution(ports: ExecutionPorts, message: Message, limits: TaskLimits): Promise<Verdict> {
  const ref = { key: message.lock.key, messageId: message.id, round: message.round }
  if (message.expiresAt !== null && message.expiresAt <= ports.now()) {
    return endUnstarted(ports, message, { outcome: 'expired', code: 'EXPIRED' })
  }
  const seated = await takeSeat({ ports, message, ref, runId: ulid() })
  if ('verdict' in seated) return seated
  const { run, granted } = seated
  const startedAt = performance.now()
  const end = await ports.run(bodyOf(run, granted, limits))
  return finish(run, granted, end, performance.now() - startedAt)
}

/** Barrier and grant for one of the key's seats; a seat that another run has sends it to the next. */
async function takeSeat(of: Omit<Run, 'seat' | 'slot' | 'barred'>): Promise<{ run: Run; granted: Granted } | Verdict> {
  const { ports, message } = of
  const { guarded, mode, limit, held: hadHold } = message.lock
  const barred = guarded && ports.barrier !== undefined && runSet(mode) !== 'free'
  let barrierBusy = false
  let others: SlotTaken | undefined
  for (const slot of seatOrder(limit, of.runId)) {
    if (others?.taken.includes(slot)) continue
    const unseated: Run = { ...of, slot, barred, seat: undefined }
    // A message with a place of its own waits for the barrier; one without meets its policy first, in the record.
    const run = barred && hadHold ? await seated(unseated) : unseated
    if (!run) {
      barrierBusy = true
      continue
    }
    const answer = await grant(run)
    if ('verdict' in answer) return answer
    if (answer.outcome === 'slotTaken') others = answer
    else return barred && !hadHold ? seatLate(run, answer) : { run, granted: begin(run, answer) }
  }
  if (others && !barrierBusy) return held(of, others)
  return putBack(of, { why: 'barrier', holder: null, delayMs: BARRIER_BUSY_MS })
}

/** The run with its seat of the barrier; undefined if that is taken. */
async function seated(run: Run): Promise<Run | undefined> {
  const seat = { key: run.ref.key, slot: run.slot }
  return (await run.ports.barrier?.take(seat)) === 'refused' ? undefined : { ...run, seat }
}

/** The record granted, the barrier may not: then the grant is given back, and its start was none. */
async function seatLate(run: Run, answer: Grant): Promise<{ run: Run; granted: Granted } | Verdict> {
  let taken: Run | undefined
  try {
    taken = await seated(run)
  } finally {
    if (!taken) await giveBack(run, answer.token)
  }
  if (taken) return { run: taken, granted: begin(taken, answer) }
  return putBack(run, { why: 'barrier', holder: null, delayMs: BARRIER_BUSY_MS })
}

async function giveBack(run: Run, token: number): Promise<void> {
  const { ports, message } = run
  const step = { ...run.ref, to: 'queued', token, reason: 'unstarted', delayMs: BARRIER_BUSY_MS } as const
  const times = { maxDeliveries: MAX_DELIVERIES, publishLeaseMs: PUBLISH_LEASE_MS, resultMs: message.resultMs }
  const answer = await ports.store.advance({ ...step, ...times })
  if (answer.outcome === 'ended') await promote(ports, answer.promotion)
}

/** Ends a message that will not run. Its own errors are the engine's to repeat. */
export async function endUnstarted(
  ports: ExecutionPorts,
  message: Message,
  { error = null, ...end }: { readonly outcome: FinalOutcome; readonly code: string; readonly error?: string | null },
): Promise<Verdict> {
  const ref = { key: message.lock.key, messageId: message.id, round: message.round }
  const answer = await ports.store.release({
    ...ref,
    ...end,
    token: null,
    result: null,
    error,
    publishLeaseMs: PUBLISH_LEASE_MS,
    resultMs: message.resultMs,
  })
  if (answer.outcome === 'stale') return { verdict: 'putBack', delayMs: TROUBLE_MS }
  if (answer.outcome === 'released') {
    ports.events.emit('run:ended', { ...subject(message), worker: ports.worker, ...end, error, ms: 0 })
    await promote(ports, answer.promotion)
  }
  return { verdict: 'ack' }
}

type Grant = Extract<RunAnswer, { outcome: 'granted' }> & { readonly sentAtNs: bigint }

async function grant(run: Run): Promise<Grant | Verdict | SlotTaken> {
  const sentAtNs = process.hrtime.bigint()
  let answer: RunAnswer
  try {
    answer = await run.ports.store.advance(runStep(run))
  } catch (error) {
    await leave(run)
    throw error
  }
  if (answer.outcome === 'granted') return { ...answer, sentAtNs }
  await leave(run)
  return answer.outcome === 'slotTaken' ? answer : notGranted(run, answer)
}

/** From here on the lease is kept. */
function begin(run: Run, answer: Grant): Granted {
  const { ports, message } = run
  const { token, deliveries, retries, sentAtNs } = answer
  const { limit, label } = message.lock
  const deadlineNs = ports.hold({ ...run.ref, token, limit, slot: run.slot, label, sentAtNs }, run.runId)
  const lateMs = Math.max(0, answer.now - (message.notBefore ?? message.publishedAt))
  ports.events.emit('run:started', { ...subject(message), worker: ports.worker, token, deliveries, lateMs })
  // Not awaited by the body: the lease runs, and a sweeper would do it too.
  void promote(ports, answer.promotion)
  return { token, deliveries, retries, deadlineNs }
}

function runStep(run: Run): RunStep {
  const { ports, message } = run
  return {
    ...run.ref,
    to: 'running',
    terms: termsOf(message),
    owner: run.runId,
    worker: ports.worker,
    barrier: run.barred && ports.barrier ? ports.barrier.kind : 'none',
    slot: run.slot,
    leaseMs: ports.leaseMs,
    lockDelayMs: ports.lockDelayMs,
    maxDeliveries: MAX_DELIVERIES,
    publishedAt: message.publishedAt,
    whenHeld: deliveryInstruction(message.lock.overlap, message.lock.held),
    minRunMs: message.lock.minRunMs,
    publishLeaseMs: PUBLISH_LEASE_MS,
    resultMs: message.resultMs,
  }
}

async function notGranted(
  run: Run,
  answer: Exclude<RunAnswer, { outcome: 'granted' | 'slotTaken' }>,
): Promise<Verdict> {
  const { ports, message } = run
  const about = { ...subject(message), worker: ports.worker }
  switch (answer.outcome) {
    case 'early':
      return { verdict: 'putBack', delayMs: answer.remainingMs }
    case 'refused':
      return held(run, answer)
    case 'finished':
      ports.events.emit('run:duplicate', { ...about, outcome: answer.record.outcome })
      return { verdict: 'ack' }
    case 'ended':
      ports.events.emit('run:ended', { ...about, ...endOf(answer.record), ms: 0 })
      await promote(ports, answer.promotion)
      return { verdict: 'ack' }
  }
}

function held(
  run: Pick<Run, 'ports' | 'message'>,
  answer: { readonly holder: Holder; readonly remainingMs: number },
): Verdict {
  const delayMs = Math.min(answer.remainingMs + run.ports.lockDelayMs, PUT_BACK_MS)
  return putBack(run, { why: 'held', holder: answer.holder, delayMs })
}

function bodyOf(run: Run, granted: Granted, limits: TaskLimits): BodyRequest {
  const { token, deliveries, retries, deadlineNs } = granted
  return {
    runId: run.runId,
    message: encodeMessage(run.message),
    token,
    deliveries,
    retries,
    deadlineNs,
    softLimitMs: limits.softTimeLimitMs,
    hardLimitMs: limits.timeLimitMs,
  }
}

/** The body is seen to have ended: barrier first, then the record, then the engine. */
async function finish(run: Run, granted: Granted, end: BodyEnd, ms: number): Promise<Verdict> {
  await leave(run)
  try {
    const again = end.end === 'retry' && granted.retries < run.message.maxRetries
    if (again || (end.end === 'killed' && end.why !== 'time_limit' && end.why !== 'cancelled')) {
      return await fallBack(run, granted, end)
    }
    return await conclude(run, granted, end, ms)
  } finally {
    run.ports.drop(run.runId)
  }
}

async function fallBack(run: Run, granted: Granted, end: BodyEnd): Promise<Verdict> {
  const { ports, message } = run
  const delayMs = end.end === 'retry' ? end.countdownMs : 0
  const answer: RequeueAnswer = await insist(ports, () =>
    ports.store.advance({
      ...run.ref,
      to: 'queued',
      token: granted.token,
      reason: end.end === 'retry' ? 'retry' : 'redelivery',
      delayMs,
      maxDeliveries: MAX_DELIVERIES,
      publishLeaseMs: PUBLISH_LEASE_MS,
      resultMs: message.resultMs,
    }),
  )
  tellFallBack(run, granted, end)
  switch (answer.outcome) {
    case 'queued':
      return { verdict: 'putBack', delayMs }
    case 'ended':
      ports.events.emit('run:ended', { ...subject(message), worker: ports.worker, ...endOf(answer.record), ms: 0 })
      await promote(ports, answer.promotion)
      return { verdict: 'ack' }
    case 'finished':
      return { verdict: 'ack' }
    case 'stale':
      ports.events.emit('lock:stale', { key: run.ref.key, id: message.id, step: 'requeue' })
      return { verdict: 'putBack', delayMs: TROUBLE_MS }
  }
}

function tellFallBack(run: Run, granted: Granted, end: BodyEnd): void {
  const about = { ...subject(run.message), worker: run.ports.worker }
  if (end.end === 'retry') {
    run.ports.events.emit('run:retried', {
      ...about,
      retries: granted.retries + 1,
      countdownMs: end.countdownMs,
      error: end.error,
    })
  }
  if (end.end !== 'killed') return
  if (end.why === 'lost') {
    run.ports.events.emit('run:lost', { ...about, reason: end.detail })
    return
  }
  const ms = Number(process.hrtime.bigint() - end.exitSeenNs) / 1e6
  run.ports.events.emit('run:crashed', { ...about, detail: end.detail, ms })
}

async function conclude(run: Run, granted: Granted, end: BodyEnd, ms: number): Promise<Verdict> {
  const { ports, message } = run
  const request = {
    ...run.ref,
    ...outcomeOf(end),
    token: granted.token,
    publishLeaseMs: PUBLISH_LEASE_MS,
    resultMs: message.resultMs,
  }
  const answer: ReleaseAnswer = await insist(ports, () => ports.store.release(request))
  if (answer.outcome === 'stale') {
    ports.events.emit('lock:stale', { key: run.ref.key, id: message.id, step: 'release' })
    return { verdict: 'putBack', delayMs: TROUBLE_MS }
  }
  ports.events.emit('run:ended', { ...subject(message), worker: ports.worker, ...endOf(answer.record), ms })
  if (answer.outcome === 'released') await promote(ports, answer.promotion)
  return { verdict: 'ack' }
}

function endOf({ outcome, code, error }: OutcomeRecord): Pick<OutcomeRecord, 'outcome' | 'code' | 'error'> {
  return { outcome, code, error }
}

function outcomeOf(end: BodyEnd): {
  outcome: FinalOutcome
  code: string | null
  result: string | null
  error: string | null
} {
  switch (end.end) {
    case 'returned':
      return { outcome: 'ran', code: null, result: end.result, error: null }
    case 'threw':
      return { outcome: 'failed', code: 'TASK_ERROR', result: null, error: end.error }
    case 'retry':
      return { outcome: 'failed', code: 'MAX_RETRIES', result: null, error: end.error }
    case 'killed':
      return end.why === 'cancelled'
        ? { outcome: 'cleared', code: 'CLEARED', result: null, error: null }
        : { outcome: 'failed', code: 'TIME_LIMIT', result: null, error: null }
  }
}

/** A run that ended must be written down: asks until the server answers, its lease renewed meanwhile. */
async function insist<T>(ports: ExecutionPorts, step: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await step()
    } catch (error) {
      if (!(error instanceof ServerUnavailable) || ports.signal.aborted) throw error
      ports.events.emit('trouble', { where: 'end of a run', error })
      await sleep(RELEASE_RETRY_MS, undefined, { signal: ports.signal }).catch(() => undefined)
    }
  }
}

async function leave(run: Run): Promise<void> {
  if (!run.seat) return
  try {
    await run.ports.barrier?.drop(run.seat)
  } catch (error) {
    run.ports.events.emit('trouble', { where: 'barrier', error: error as Error })
  }
}

/** The next parked call goes out at once; if that fails a sweeper does it. */
async function promote(ports: ExecutionPorts, promotion: Promotion | null): Promise<void> {
  if (!promotion) return
  try {
    await ports.promote(promotion)
  } catch (error) {
    ports.events.emit('trouble', { where: 'promotion', error: error as Error })
  }
}

function putBack(
  run: Pick<Run, 'ports' | 'message'>,
  told: { readonly why: string; readonly holder: Holder | null; readonly delayMs: number },
): Verdict {
  const about = { ...subject(run.message), worker: run.ports.worker }
  run.ports.events.emit('run:putBack', { ...about, ...told })
  return { verdict: 'putBack', delayMs: told.delayMs }
}
