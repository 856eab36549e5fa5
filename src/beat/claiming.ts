import type { ClockWatch } from './clock-watch.js'
import type { EmitBeat } from './event.js'
import type { MissedSlots } from './misfire.js'
import type { Claim, Dropped, ReserveAnswer, ScheduleStore } from './schedule-store.js'
import { dueAt } from './slot.js'
import type { Standing } from './standing.js'

export interface ClaimingOptions {
  readonly store: Pick<ScheduleStore, 'reserve' | 'pass' | 'takeOver'>
  readonly by: string
  readonly claimMs: number
  readonly now: () => number
  readonly monotonic: () => number
  readonly wall: () => number
  readonly clock: ClockWatch
  readonly emit: EmitBeat
}

/** Where the store's answer leaves an entry: to be read again, nothing to do now, or with a claim of this beat. */
export type Claimed =
  | { readonly outcome: 'changed' }
  | { readonly outcome: 'settled' }
  /** `startsAt`: its time has not come before. */
  | { readonly outcome: 'ours'; readonly startsAt: number }

/** Nothing is sent in the last part of a claim: what is sent must arrive before it ends. */
const MARGIN_MS = 1_000

/** Moves cursors and takes claims, and takes in what the store answers. */
export class Claiming<Payload> {
  readonly #options: ClaimingOptions

  constructor(options: ClaimingOptions) {
    this.#options = options
  }

  async reserve(
    standing: Standing<Payload>,
    { nominal, kind, missed }: { nominal: number; kind: 'slot' | 'asked'; missed: MissedSlots | null },
  ): Promise<Claimed> {
    const { store, by, claimMs, emit } = this.#options
    const { name, revision, cursor } = standing
    const sent = this.#sent()
    const dropped: Dropped[] = missed ? [{ decision: 'missed', slots: missed.slots, latest: missed.latest }] : []
    const of = { entry: name, revision, from: cursor.nominal, nominal, kind } as const
    const answer = await store.reserve({ ...of, by, claimMs, dropped })
    if (kind === 'asked' && isTaken(answer, nominal)) standing.askedAt = null
    if (answer.outcome === 'reserved' && missed) emit('beat:missed', { entry: name, ...missed })
    return this.#settle(standing, answer, sent)
  }

  /** Moves over slots that nobody will run. */
  async pass(standing: Standing<Payload>, { decision, slots, latest, exact }: Dropped & MissedSlots): Promise<Claimed> {
    const { store, emit } = this.#options
    const { name, revision, cursor } = standing
    const sent = this.#sent()
    const dropped = [{ decision, slots, latest }]
    const answer = await store.pass({ entry: name, revision, from: cursor.nominal, to: latest, dropped })
    const passed = answer.outcome === 'moved' && answer.cursor.nominal === latest && !answer.cursor.claim
    if (passed && decision === 'missed') emit('beat:missed', { entry: name, slots, latest, exact })
    return this.#settle(standing, answer, sent)
  }

  async takeOver(standing: Standing<Payload>, { term }: Claim): Promise<Claimed> {
    const { store, by, claimMs } = this.#options
    const sent = this.#sent()
    const answer = await store.takeOver({ entry: standing.name, term, by, claimMs })
    return this.#settle(standing, answer, sent)
  }

  #sent(): Sent {
    return { monotonic: this.#options.monotonic(), wall: this.#options.wall() }
  }

  #settle(standing: Standing<Payload>, answer: ReserveAnswer, sent: Sent): Claimed {
    const { by, now, monotonic, clock } = this.#options
    clock.note(answer.now, sent.monotonic)
    if (answer.outcome === 'changed') return answer
    const { nominal } = answer.outcome === 'reserved' ? answer : answer.cursor
    const claim = answer.outcome === 'reserved' ? answer.claim : answer.cursor.claim
    standing.cursor = { nominal, claim }
    if (!claim) return { outcome: 'settled' }
    const remainingMs = Math.max(0, claim.deadline - answer.now)
    // The earliest that it can be, also if this process was paused since: too early is answered with the time left.
    standing.takeOverAt = now() + Math.max(0, sent.monotonic + remainingMs - monotonic())
    // A claim of ours in an answer that says "moved": the reply to an earlier request was lost.
    if (claim.by !== by) return { outcome: 'settled' }
    const usableMs = remainingMs - MARGIN_MS
    const before = { publishBefore: sent.monotonic + usableMs, wallBefore: sent.wall + usableMs }
    standing.own = { claim, ...before, published: undefined }
    // Our estimate ran ahead of the store's clock: the slot is ours, its time has not come.
    const earlyMs = claim.nominal === nominal ? dueAt(standing.entry, nominal) - answer.now : 0
    return { outcome: 'ours', startsAt: now() + Math.max(0, earlyMs) }
  }
}

/** When a request left: a claim is counted from there. */
interface Sent {
  readonly monotonic: number
  readonly wall: number
}

/** A run is asked for once: somebody has it, or nobody wants it any more. While another slot's claim is open it waits. */
function isTaken(answer: ReserveAnswer, askedAt: number): boolean {
  if (answer.outcome !== 'moved') return answer.outcome === 'reserved'
  return answer.cursor.claim === null || answer.cursor.claim.nominal === askedAt
}
