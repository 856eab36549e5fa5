import { Doorbell } from '../lock/doorbell.js'
import { BeatlockError, ServerUnavailable } from '../lock/error.js'
import type { Holder } from '../lock/hold.js'
import type { AcquireAnswer } from '../lock/message-step.js'
import {
  type DirectRun,
  directSubject,
  type Granted,
  handOn,
  NOTHING_KEPT,
  type Refused,
  tryToStart,
} from './direct-run.js'
import { DIRECT_MARKER } from './message.js'

/** How many calls may stand in line for one key. */
const CAPACITY = 1000
const FIRST_PAUSE_MS = 10
/** Between two looks of its own: what a notice saves it, and what a lost one costs. */
const LAST_PAUSE_MS = 500
/** How long a call whose turn it is tries a barrier that is taken: another one is about to start, or has just ended. */
const SEAT_MS = 250

/** Where a call stands while it waits. */
interface Line {
  /** `performance.now()` at which it gives up. */
  endsAt: number
  pauseMs: number
  parked: boolean
  turn: boolean
  /** Rung when its turn has come. */
  readonly bell: Doorbell
  unlisten: () => void
  /** Who stood in its way last. */
  last: Refused | undefined
}

/**
 * Asks for the key: at once, then in line for as long as the call may wait. The line is the record's own: whoever
 * releases gives the first of it its turn in that same step, and a waiter that died loses its turn when its wait would
 * have ended. A notice wakes the one whose turn it is; nothing depends on that, each also looks for itself.
 *
 * @throws StoreUnavailable; BeatlockError CLOSED.
 */
export async function obtain(run: DirectRun): Promise<Granted | Refused> {
  refuseWhenClosing(run)
  const first = await tryToStart(run).catch((error: unknown) => {
    // A grant that does not count was given back to a message which nobody will deliver.
    void withdraw(run).catch(() => undefined)
    throw error
  })
  if (first.outcome === 'granted') return first
  // A hold whose time is over is in the way only until somebody settles it.
  if (first.outcome === 'refused' && run.call.waitMs === 0 && first.remainingMs > 0) return first
  const last = first.outcome === 'refused' ? first : first.outcome === 'recovering' ? lostData(run, first) : undefined
  const line = {
    endsAt: performance.now() + run.call.waitMs,
    pauseMs: FIRST_PAUSE_MS,
    parked: false,
    turn: false,
    bell: new Doorbell(),
    unlisten: () => undefined,
    last,
  }
  try {
    return await stand(run, line)
  } catch (error) {
    await withdraw(run).catch(() => undefined)
    throw error
  } finally {
    line.unlisten()
  }
}

async function stand(run: DirectRun, line: Line): Promise<Granted | Refused> {
  for (;;) {
    const found = await lookPatiently(run, line)
    if (found) return found
    const leftMs = line.endsAt - performance.now()
    if (leftMs <= 0) break
    await line.bell.wait(Math.min(line.pauseMs, leftMs), run.ports.closing)
    refuseWhenClosing(run)
    line.pauseMs = Math.min(LAST_PAUSE_MS, line.pauseMs * 1.5)
  }
  await withdraw(run)
  return line.last ?? unseen(run)
}

/** A server that is away for a moment costs a waiter nothing but that moment. */
async function lookPatiently(run: DirectRun, line: Line): Promise<Granted | Refused | undefined> {
  try {
    return await look(run, line)
  } catch (error) {
    if (!(error instanceof ServerUnavailable) || performance.now() >= line.endsAt) throw error
    run.ports.events.emit('trouble', { where: 'waiting for a lock', error })
    return undefined
  }
}

/** One look at the record; undefined: not yet. */
async function look(run: DirectRun, line: Line): Promise<Granted | Refused | undefined> {
  const answer = await ask(run)
  switch (answer.outcome) {
    case 'granted':
    case 'repeated':
      return takeTurn(run, line)
    case 'parked':
      line.last = refusedBy(run, answer.behind)
      if (!line.parked) beginToWait(run, line, answer.behind)
      return undefined
    case 'coalesced':
      return refusedBy(run, answer.behind)
    case 'refused':
      return answer
    case 'finished':
      return line.last ?? unseen(run)
  }
}

function beginToWait(run: DirectRun, line: Line, holder: Holder): void {
  run.ports.events.emit('call:parked', { ...directSubject(run), holder })
  line.parked = true
  line.unlisten = run.ports.store.listen(`message:${run.ref.messageId}`, line.bell.ring)
}

async function takeTurn(run: DirectRun, line: Line): Promise<Granted | Refused | undefined> {
  if (!line.turn) line.endsAt = Math.max(line.endsAt, performance.now() + SEAT_MS)
  line.turn = true
  line.pauseMs = FIRST_PAUSE_MS
  const tried = await tryToStart(run)
  if (tried.outcome === 'granted') return tried
  if (tried.outcome === 'recovering') {
    line.last = lostData(run, tried)
    line.pauseMs = LAST_PAUSE_MS
  }
  return tried.outcome === 'over' ? (line.last ?? unseen(run)) : undefined
}

async function ask(run: DirectRun): Promise<AcquireAnswer> {
  const answer = await acquire(run)
  if (answer.outcome !== 'refused' || answer.doubt === null) return answer
  await run.ports.settle(answer.doubt)
  return acquire(run)
}

function acquire({ ports, ref, terms, call }: DirectRun): Promise<AcquireAnswer> {
  return ports.store.acquire({
    ...ref,
    ...NOTHING_KEPT,
    terms,
    whenHeld: call.waitMs > 0 ? { do: 'park', capacity: CAPACITY, keep: 'all' } : { do: 'refuse' },
    message: DIRECT_MARKER,
  })
}

/** Gives up place or turn, which goes to the next one. */
async function withdraw({ ports, ref }: DirectRun): Promise<void> {
  const end = { outcome: 'expired', code: 'EXPIRED', token: null, result: null, error: null } as const
  const answer = await ports.store.release({ ...ref, ...NOTHING_KEPT, ...end })
  ports.keeper.acked(ref)
  if (answer.outcome === 'released') await handOn(ports, answer.promotion)
}

function refuseWhenClosing({ ports, call }: DirectRun): void {
  if (ports.closing.aborted) throw new BeatlockError('CLOSED', `${call.label} was not started: the app is closing.`)
}

function refusedBy({ ports }: DirectRun, holder: Holder): Refused {
  return { outcome: 'refused', holder, remainingMs: ports.leaseMs + ports.lockDelayMs }
}

/** The store has lost data, so that some process may still run under this key. */
function lostData(run: DirectRun, { remainingMs }: { readonly remainingMs: number }): Refused {
  const holder: Holder = { id: 'recovering', stage: 'running', worker: null, since: run.ports.now(), token: null }
  return { outcome: 'refused', holder, remainingMs }
}

/** Only the barrier is taken: by a session, or votes of a quorum, that the record knows nothing of, or not yet. */
function unseen(run: DirectRun): Refused {
  const since = run.ports.now()
  return refusedBy(run, { id: `${run.ports.barrier?.kind}-lock`, stage: 'running', worker: null, since, token: null })
}
