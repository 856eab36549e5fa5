import { setTimeout as sleep } from 'node:timers/promises'
import { ServerUnavailable } from '../lock/error.js'
import type { ReleaseAnswer } from '../lock/message-step.js'
import type { FinalOutcome } from '../lock/outcome.js'
import { monotonicNs, msUntil } from '../lock/trust.js'
import { type DirectRun, directSubject, type Granted, handOn, leaveSeat, NOTHING_KEPT } from './direct-run.js'
import { LockLost } from './error.js'
import type { Lock } from './task.js'

/** What code under a lock is given. */
export interface DirectLock extends Lock {
  /** Aborted with `LockLost` when the lock is gone: nothing done from then on is protected. */
  readonly signal: AbortSignal
}

type BodyEnd<R> = { readonly end: 'returned'; readonly value: R } | { readonly end: 'threw'; readonly error: unknown }

/** A body that has its lock: how it learns of the loss, and until when it may trust. */
interface Holding {
  readonly run: DirectRun
  readonly token: number
  readonly startedAt: number
  readonly loss: AbortSignal
  readonly lose: (reason: string) => void
  readonly remainingMs: () => number
}

const RELEASE_RETRY_MS = 250

/**
 * Runs a body under the lock that was granted to it, then frees the key. A body cannot be killed here: on a loss its
 * signal is aborted, and what it returns later is not passed on.
 *
 * @throws LockLost, or what the body threw.
 */
export async function runBody<R>(run: DirectRun, granted: Granted, body: (lock: DirectLock) => R): Promise<Awaited<R>> {
  const { ports, ref, runId, call } = run
  const { token, sentAtNs, claim } = granted
  const loss = new AbortController()
  const holding: Holding = {
    run,
    token,
    startedAt: performance.now(),
    loss: loss.signal,
    lose(reason) {
      if (loss.signal.aborted) return
      ports.events.emit('run:lost', { ...directSubject(run), worker: ports.worker, reason })
      loss.abort(new LockLost(reason))
    },
    remainingMs: () => msUntil(ports.keeper.feed.deadlineNs(runId) ?? 0n),
  }
  const unfollow = ports.follow({ runId, key: ref.key }, holding.lose)
  const seat = ports.barrier ? 0 : undefined
  const deadlineNs = ports.keeper.hold({ ...ref, runId, token, sentAtNs, claim, limit: 1, label: call.label, seat })
  try {
    // The grant may have been long on its way.
    if (monotonicNs() >= deadlineNs) holding.lose('deadline')
    const ended = await endOf(holding, body)
    // A process that was stopped may come here before its keeper has seen the deadline pass.
    if (holding.remainingMs() === 0) holding.lose('deadline')
    await finish(holding, ended)
    if (loss.signal.aborted) throw lossWith(loss.signal.reason as LockLost, ended)
    if (ended.end === 'threw') throw ended.error
    return ended.value
  } finally {
    unfollow()
    ports.keeper.drop(runId)
  }
}

async function endOf<R>(holding: Holding, body: (lock: DirectLock) => R): Promise<BodyEnd<Awaited<R>>> {
  const { loss: signal, token, remainingMs, run } = holding
  try {
    signal.throwIfAborted()
    return {
      end: 'returned',
      value: await body({ signal, key: run.ref.key, token, space: run.ports.store.space, remainingMs }),
    }
  } catch (error) {
    return { end: 'threw', error }
  }
}

/** The barrier first, then the record; the next one in line has its turn in that same step. */
async function finish(holding: Holding, ended: BodyEnd<unknown>): Promise<void> {
  const { run, token, lose, startedAt } = holding
  const { ports, ref } = run
  await leaveSeat(run)
  const end = outcomeOf(ended, holding.loss.aborted)
  const answer = await release(holding, end)
  if (!answer) return
  if (answer.outcome === 'stale') {
    ports.events.emit('lock:stale', { key: ref.key, id: ref.messageId, step: 'release' })
    return lose('ended')
  }
  const { outcome, code } = answer.record
  if (answer.record.token !== token || outcome !== end.outcome) lose(outcome === 'cleared' ? 'cancelled' : 'ended')
  const ms = performance.now() - startedAt
  const about = { ...directSubject(run), worker: ports.worker, attempt: 1 }
  ports.events.emit('run:ended', { ...about, outcome, code, error: null, ms })
  ports.keeper.acked(ref)
  if (answer.outcome === 'released') await handOn(ports, answer.promotion)
}

function outcomeOf(ended: BodyEnd<unknown>, lost: boolean): { outcome: FinalOutcome; code: string | null } {
  if (lost) return { outcome: 'lock_lost', code: 'LOCK_LOST' }
  return ended.end === 'returned' ? { outcome: 'ran', code: null } : { outcome: 'failed', code: 'TASK_ERROR' }
}

/** Asks for as long as the lease is trusted. Undefined: the server stayed silent, and the hold ends with its lease. */
async function release(
  { run, token, remainingMs }: Holding,
  end: { readonly outcome: FinalOutcome; readonly code: string | null },
): Promise<ReleaseAnswer | undefined> {
  const { ports, ref } = run
  for (;;) {
    try {
      return await ports.store.release({ ...ref, ...end, ...NOTHING_KEPT, token, result: null, error: null })
    } catch (error) {
      if (!(error instanceof ServerUnavailable)) throw error
      ports.events.emit('trouble', { where: 'end of a direct run', error })
      if (remainingMs() <= RELEASE_RETRY_MS) return undefined
      await sleep(RELEASE_RETRY_MS)
    }
  }
}

function lossWith(loss: LockLost, ended: BodyEnd<unknown>): LockLost {
  if (ended.end === 'threw' && ended.error !== loss) loss.cause ??= ended.error
  return loss
}
