import { setTimeout as sleep } from 'node:timers/promises'
import { formatDuration } from '../lock/duration.js'
import { ServerUnavailable } from '../lock/error.js'
import type { ReleaseAnswer, RequeueAnswer, RequeueStep } from '../lock/message-step.js'
import type { FinalOutcome, OutcomeRecord } from '../lock/outcome.js'
import { attemptOf, type BodyEnd } from './body.js'
import { acknowledge } from './burial.js'
import type { CarriedError } from './carried-error.js'
import type { Verdict } from './engine.js'
import type { Message } from './message.js'
import { PUBLISH_LEASE_MS } from './publish-guard.js'
import {
  type ExecutionPorts,
  endOf,
  type Granted,
  leave,
  promote,
  type Run,
  type RunBounds,
  TROUBLE_MS,
} from './run.js'
import { subject } from './sweeper.js'

const RELEASE_RETRY_MS = 250
const TROUBLE_PATIENCE_MS = 30_000
/** How long a message waits whose body got no child here; another worker may take it then. */
const NO_CHILD_MS = 1_000

/** The body is seen to have ended: barrier first, then the record, then the engine. */
export async function finish(run: Run, granted: Granted, end: BodyEnd, ms: number): Promise<Verdict> {
  await leave(run)
  try {
    if (end.end === 'unstarted' || runsAgain(run, granted, end)) return await fallBack(run, granted, end)
    return await conclude(run, granted, end, ms)
  } finally {
    run.ports.drop(run.runId)
  }
}

function runsAgain(run: Run, granted: Granted, end: BodyEnd): boolean {
  if (end.end === 'retry') return granted.retries < (run.message.maxRetries ?? 0)
  return end.end === 'killed' && end.why !== 'time_limit' && end.why !== 'cancelled'
}

async function fallBack(run: Run, granted: Granted, end: BodyEnd): Promise<Verdict> {
  const { ports, message } = run
  const [reason, delayMs] = returnOf(end)
  const step = requeueStep(run, { token: granted.token, reason, delayMs })
  const answer: RequeueAnswer = await insist(ports, () => ports.store.advance(step))
  tellFallBack(run, granted, { end, again: answer.outcome === 'queued' })
  switch (answer.outcome) {
    case 'queued':
      return { verdict: 'putBack', delayMs }
    case 'ended':
      tellEnd(run, granted, answer.record, 0)
      await promote(ports, answer.promotion)
      return acknowledge(ports, message, answer.record)
    case 'finished':
      return acknowledge(ports, message, answer.record)
    case 'stale':
      ports.events.emit('lock:stale', { key: run.ref.key, id: message.id, step: 'requeue' })
      return { verdict: 'putBack', delayMs: Math.max(TROUBLE_MS, delayMs) }
  }
}

function returnOf(end: BodyEnd): [reason: RequeueStep['reason'], delayMs: number] {
  if (end.end === 'retry') return ['retry', end.countdownMs]
  if (end.end === 'unstarted') return ['unstarted', end.why === 'no child' ? NO_CHILD_MS : 0]
  return ['redelivery', 0]
}

function requeueStep(run: Run, of: Pick<RequeueStep, 'token' | 'reason' | 'delayMs'>): RequeueStep {
  const { resultMs } = run.message
  const { maxDeliveries } = run.bounds
  return { ...run.ref, ...of, to: 'queued', maxDeliveries, publishLeaseMs: PUBLISH_LEASE_MS, resultMs }
}

function tellFallBack(run: Run, granted: Granted, { end, again }: { end: BodyEnd; again: boolean }): void {
  const about = { ...subject(run.message), worker: run.ports.worker }
  if (end.end === 'retry') {
    run.ports.events.emit('run:retried', {
      ...about,
      retries: granted.retries + 1,
      countdownMs: end.countdownMs,
      error: end.error,
    })
  }
  if (end.end === 'unstarted') run.ports.events.emit('run:unstarted', { ...about, why: end.why })
  if (end.end !== 'killed') return
  if (end.why === 'lost') {
    run.ports.events.emit('run:lost', { ...about, reason: end.detail })
    return
  }
  const ms = Number(process.hrtime.bigint() - end.exitSeenNs) / 1e6
  run.ports.events.emit('run:crashed', { ...about, detail: end.detail, again, ms })
}

type FinalEnd = Exclude<BodyEnd, { end: 'unstarted' }>

async function conclude(run: Run, granted: Granted, end: FinalEnd, ms: number): Promise<Verdict> {
  const { ports, message } = run
  const request = {
    ...run.ref,
    ...outcomeOf(end, run.bounds),
    token: granted.token,
    publishLeaseMs: PUBLISH_LEASE_MS,
    resultMs: message.resultMs,
  }
  let asked = 0
  const answer: ReleaseAnswer = await insist(ports, () => {
    asked += 1
    return ports.store.release(request)
  })
  if (answer.outcome !== 'released' || !endedHere(answer, asked)) {
    ports.events.emit('lock:stale', { key: run.ref.key, id: message.id, step: 'release' })
    if (answer.outcome === 'stale') return { verdict: 'putBack', delayMs: TROUBLE_MS }
    // The store may have asked twice, the first answer lost: the turn that it carried would wait for a sweep.
    if (answer.outcome === 'released') await promote(ports, answer.promotion)
    // A later run has ended the message, or a sweeper this one: whoever did has told of it.
    return acknowledge(ports, message, answer.record)
  }
  tellEnd(run, granted, answer.record, ms)
  await promote(ports, answer.promotion)
  return acknowledge(ports, message, answer.record)
}

/** A sweeper that took the run for dead ends it under the run's own token, which then is answered as a repeat is. */
function endedHere({ record, now }: { record: OutcomeRecord; now: number }, asked: number): boolean {
  if (record.code === 'MAX_DELIVERIES' || record.code === 'LOCK_LOST') return false
  // Of an earlier instant: by a sweeper, or by this run's earlier asking, the answer to which was lost.
  return record.at === now || asked > 1
}

function tellEnd({ ports, message }: Run, granted: Granted, record: OutcomeRecord, ms: number): void {
  const about = { ...subject(message), worker: ports.worker, attempt: attemptOf(granted) }
  ports.events.emit('run:ended', { ...about, ...endOf(record), ms })
}

function outcomeOf(
  end: FinalEnd,
  { timeLimitMs }: RunBounds,
): {
  outcome: FinalOutcome
  code: string | null
  result: string | null
  error: string | null
} {
  switch (end.end) {
    case 'returned':
      return { outcome: 'ran', code: null, result: end.result, error: null }
    case 'threw':
      return { outcome: 'failed', code: end.code ?? 'TASK_ERROR', result: null, error: end.error }
    case 'retry':
      return { outcome: 'failed', code: 'MAX_RETRIES', result: null, error: end.error }
    case 'killed':
      return end.why === 'cancelled'
        ? { outcome: 'cleared', code: 'CLEARED', result: null, error: null }
        : { outcome: 'failed', code: 'TIME_LIMIT', result: null, error: killedAt(timeLimitMs) }
  }
}

/** The body can say nothing any more. */
function killedAt(limitMs: number | null): string {
  const message = `it was killed at its time limit of ${formatDuration(limitMs ?? 0)}`
  return JSON.stringify({ name: 'TimeLimitExceeded', message } satisfies CarriedError)
}

/**
 * A run that ended must be written down, or its body would run again: asks until the server answers, its lease renewed
 * meanwhile. What is not an absence may pass as well (a password that is being changed, say), but not for ever.
 */
async function insist<T>(ports: ExecutionPorts, step: () => Promise<T>): Promise<T> {
  const startedAt = performance.now()
  for (;;) {
    try {
      return await step()
    } catch (error) {
      const lasts = !(error instanceof ServerUnavailable) && performance.now() - startedAt > TROUBLE_PATIENCE_MS
      if (lasts || ports.signal.aborted) throw error
      ports.events.emit('trouble', { where: 'end of a run', error: error as Error })
      await sleep(RELEASE_RETRY_MS, undefined, { signal: ports.signal }).catch(() => undefined)
    }
  }
}

/** A grant that no body will use: its start was none. */
export async function giveBack(run: Run, token: number, delayMs: number): Promise<void> {
  const answer = await run.ports.store.advance(requeueStep(run, { token, reason: 'unstarted', delayMs }))
  if (answer.outcome === 'ended') await promote(run.ports, answer.promotion)
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
    ports.events.emit('run:ended', { ...subject(message), worker: ports.worker, ...end, error, ms: 0, attempt: 0 })
    await promote(ports, answer.promotion)
  }
  return acknowledge(ports, message, answer.record)
}
