import type { Holder } from '../lock/hold.js'
import type { RunAnswer, RunStep } from '../lock/message-step.js'
import { runSet } from '../lock/mode.js'
import { deliveryInstruction } from '../lock/overlap.js'
import { seatOrder } from '../lock/seat-order.js'
import { acknowledge } from './burial.js'
import type { Verdict } from './engine.js'
import { PUBLISH_LEASE_MS, termsOf } from './publish-guard.js'
import { endOf, type Granted, leave, promote, putBack, type Run } from './run.js'
import { giveBack } from './run-end.js'
import { subject } from './sweeper.js'

/** Longest wait of a delivery that found its key held; it keeps its place meanwhile. */
const PUT_BACK_MS = 30_000
const BARRIER_BUSY_MS = 1_000

type SlotTaken = Extract<RunAnswer, { outcome: 'slotTaken' }>
type Grant = Extract<RunAnswer, { outcome: 'granted' }> & { readonly sentAtNs: bigint }

/** Barrier and grant for one of the key's seats; a seat that another run has sends it to the next. */
export async function takeSeat(
  of: Omit<Run, 'seat' | 'slot' | 'barred'>,
): Promise<{ run: Run; granted: Granted } | Verdict> {
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
  const seat = { key: run.ref.key, slot: run.slot, askedNs: process.hrtime.bigint() }
  return (await run.ports.barrier?.take(seat)) === 'refused' ? undefined : { ...run, seat }
}

/** The record granted, the barrier may not: then the grant is given back, and its start was none. */
async function seatLate(run: Run, answer: Grant): Promise<{ run: Run; granted: Granted } | Verdict> {
  let taken: Run | undefined
  try {
    taken = await seated(run)
  } finally {
    if (!taken) await giveBack(run, answer.token, BARRIER_BUSY_MS)
  }
  if (taken) return { run: taken, granted: begin(taken, answer) }
  return putBack(run, { why: 'barrier', holder: null, delayMs: BARRIER_BUSY_MS })
}

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
  const { token, deliveries, retries } = answer
  const { seat } = run
  const sentAtNs = seat && seat.askedNs < answer.sentAtNs ? seat.askedNs : answer.sentAtNs
  const { limit, label } = message.lock
  const { round, terms, owner, worker, barrier, slot, lockDelayMs } = runStep(run)
  const claim = { round, terms, owner, worker, barrier, slot, lockDelayMs, deliveries, retries }
  const deadlineNs = ports.hold({ ...run.ref, token, limit, slot, label, seat: seat?.slot, sentAtNs, claim }, run.runId)
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
    maxDeliveries: run.bounds.maxDeliveries,
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
    case 'recovering':
      return putBack(run, { why: 'recovering', holder: null, delayMs: Math.min(answer.remainingMs, PUT_BACK_MS) })
    case 'early':
      return { verdict: 'putBack', delayMs: answer.remainingMs }
    case 'refused':
      return held(run, answer)
    case 'finished':
      ports.events.emit('run:duplicate', { ...about, outcome: answer.record.outcome })
      return acknowledge(ports, message, answer.record)
    case 'ended':
      ports.events.emit('run:ended', { ...about, ...endOf(answer.record), ms: 0, attempt: 0 })
      await promote(ports, answer.promotion)
      return acknowledge(ports, message, answer.record)
  }
}

function held(
  run: Pick<Run, 'ports' | 'message'>,
  answer: { readonly holder: Holder; readonly remainingMs: number },
): Verdict {
  const delayMs = Math.min(answer.remainingMs + run.ports.lockDelayMs, PUT_BACK_MS)
  return putBack(run, { why: 'held', holder: answer.holder, delayMs })
}
