import { formatDuration } from '../lock/duration.js'
import { hasCode } from '../lock/error.js'
import { DueQueue } from './due-queue.js'
import { type BeatEntry, checkEntries, type Fire, type Slot } from './entry.js'
import type { BeatEvents, EmitBeat } from './event.js'
import { inParallel } from './in-parallel.js'
import { CATCH_UP_LATEST, planSlots, type SlotPlan } from './misfire.js'
import type { Claim, Cursor, Decision, ReserveAnswer, ScheduleStore } from './schedule-store.js'
import { dueAt, nextSlot } from './slot.js'
import { slotId } from './slot-id.js'

export interface SchedulerOptions<Payload> {
  readonly store: ScheduleStore
  readonly entries: readonly BeatEntry<Payload>[]
  readonly fire: Fire<Payload>
  /** This beat, unlike any other that runs: two under one name could publish on one claim. */
  readonly by: string
  /** An estimate of the store's clock, epoch ms. */
  readonly now: () => number
  readonly emit: EmitBeat
  /** Told of each answer's `now`, with `performance.now()` before sending, to better that estimate. */
  readonly observe?: (storeNow: number, sentAt: number) => void
  /** The longest a tick asks to sleep. Default 5,000. */
  readonly maxIntervalMs?: number
  /** Milliseconds that no clock change moves. Default `performance.now`. */
  readonly monotonic?: () => number
}

/** A claim ends after this long by the store's clock; by then its slot is published, or the claim is another's. */
const CLAIM_MS = 10_000
/** Nothing is sent in the last part of a claim: what is sent must arrive before it ends. */
const MARGIN_MS = 1_000
/** Less is drift, or the time that a request took. */
const CLOCK_STEP_MS = 5_000
const PARALLEL_SLOTS = 50
/** An idle beat asks the store for its clock this often: two clocks drift apart. */
const CLOCK_CHECK_MS = 60_000
/** How long an entry rests whose schedule or store row cannot be used. */
const ENTRY_RETRY_MS = 30_000

/** An entry and where it stands, as this beat last saw it. */
interface Standing<Payload> {
  readonly entry: BeatEntry<Payload>
  cursor: Cursor
  dueAt: number
  /** When another's open claim may be taken over, by our estimate of the store's clock. */
  takeOverAt: number
  own: OwnClaim | undefined
}

/** A claim of this beat whose decision is not written yet. */
interface OwnClaim {
  readonly claim: Claim
  readonly publishBefore: number
  /** Published, its decision not yet written: it is not published again. */
  published: BeatEvents['beat:decided'] | undefined
}

/**
 * Brings each slot of each entry to one decision, together with any number of others over the same store.
 *
 * A slot is claimed by moving the entry's cursor on (compare-and-set), published through `fire`, and decided. Whoever
 * dies between these steps leaves a claim that the next beat takes over at its deadline, under the same message id. Next
 * times come from the last nominal time, never from now; of several slots due at once the latest runs.
 */
export class Scheduler<Payload> {
  readonly #options: SchedulerOptions<Payload>
  readonly #monotonic: () => number
  readonly #queue = new DueQueue<Standing<Payload>>()
  #clockReadAt = 0
  /** The store's clock at that moment. */
  #storeNow = 0

  /** @throws UsageError for two entries of one name, or a zone that does not exist. */
  constructor(options: SchedulerOptions<Payload>) {
    checkEntries(options.entries)
    this.#options = options
    this.#monotonic = options.monotonic ?? (() => performance.now())
  }

  /** Reads where the entries stand; may be called again. New ones begin at the store's now. @throws StoreUnavailable */
  async start(): Promise<void> {
    const { store, entries } = this.#options
    await this.#readClock()
    const cursors = await store.load(entries.map((entry) => entry.name))
    this.#queue.clear()
    for (const [index, entry] of entries.entries()) {
      const cursor = cursors[index]
      if (!cursor) throw new RangeError(`the store answered no cursor for entry ${entry.name}`)
      const takeOverAt = cursor.claim?.deadline ?? 0
      const standing: Standing<Payload> = { entry, cursor, dueAt: 0, takeOverAt, own: undefined }
      this.#place(standing)
    }
  }

  /**
   * One pass over what is due. Answers after how many ms the next one is wanted, at most `maxIntervalMs`.
   *
   * @throws ServerUnavailable, PublishUnknown when a server did not answer: nothing is lost, the next pass tries again.
   */
  async tick(): Promise<number> {
    if (this.#monotonic() - this.#clockReadAt > CLOCK_CHECK_MS) await this.#readClock()
    const due = this.#queue.takeDue(this.#options.now())
    const leftOver = (standing: Standing<Payload>) => this.#queue.push(standing, standing.dueAt)
    await inParallel(due, { limit: PARALLEL_SLOTS, leftOver }, (standing) => this.#visit(standing))
    const waitMs = Math.ceil(this.#queue.earliest - this.#options.now())
    return Math.min(this.#options.maxIntervalMs ?? 5_000, Math.max(0, waitMs))
  }

  async #visit(standing: Standing<Payload>): Promise<void> {
    try {
      const wakeAt = await this.#advance(standing)
      this.#wake(standing, wakeAt)
    } catch (error) {
      if (isUnanswered(error)) {
        this.#wake(standing, standing.dueAt)
        throw error
      }
      this.#rest(standing, error)
    }
  }

  /** The entry's next step; answers when to look at it again. */
  async #advance(standing: Standing<Payload>): Promise<number | undefined> {
    if (standing.own) return this.#finish(standing, standing.own)
    const { cursor, entry, takeOverAt } = standing
    const now = this.#options.now()
    if (cursor.claim && now >= takeOverAt) return this.#takeOver(standing, cursor.claim)
    const plan = planSlots(entry, { after: cursor.nominal, now, catchUp: entry.catchUp ?? CATCH_UP_LATEST })
    return plan ? this.#reserve(standing, plan) : this.#wakeFor(standing)
  }

  async #reserve(standing: Standing<Payload>, { fire, missed }: SlotPlan): Promise<number | undefined> {
    const { store, by, emit } = this.#options
    const { entry, nominal: from } = standing.cursor
    const [nominal] = fire
    if (nominal === undefined) return this.#wakeFor(standing)
    const sentAt = this.#monotonic()
    const answer = await store.reserve({ entry, from, nominal, by, claimMs: CLAIM_MS, missed })
    if (answer.outcome === 'reserved' && missed) emit('beat:missed', { entry, ...missed })
    return this.#settle(standing, answer, sentAt)
  }

  async #takeOver(standing: Standing<Payload>, { term }: Claim): Promise<number | undefined> {
    const { store, by } = this.#options
    const sentAt = this.#monotonic()
    const answer = await store.takeOver({ entry: standing.entry.name, term, by, claimMs: CLAIM_MS })
    return this.#settle(standing, answer, sentAt)
  }

  /** Takes in an answer about the cursor, and goes on if the claim is ours. */
  async #settle(standing: Standing<Payload>, answer: ReserveAnswer, sentAt: number): Promise<number | undefined> {
    const { by, now } = this.#options
    this.#noteClock(answer.now, sentAt)
    const claim = answer.outcome === 'reserved' ? answer.claim : answer.cursor.claim
    const nominal = answer.outcome === 'reserved' ? answer.claim.nominal : answer.cursor.nominal
    standing.cursor = { entry: standing.entry.name, nominal, claim }
    if (!claim) return this.#wakeFor(standing)
    const remainingMs = Math.max(0, claim.deadline - answer.now)
    // The earliest that it can be, also if this process was paused since: too early is answered with the time left.
    standing.takeOverAt = now() + Math.max(0, sentAt + remainingMs - this.#monotonic())
    // A claim of ours in an answer that says "moved": the reply to an earlier request was lost.
    if (claim.by !== by) return this.#wakeFor(standing)
    const publishBefore = sentAt + remainingMs - MARGIN_MS
    standing.own = { claim, publishBefore, published: undefined }
    // Our estimate ran ahead of the store's clock: the slot is ours, its time has not come.
    const earlyMs = dueAt(standing.entry, nominal) - answer.now
    return earlyMs > 0 ? now() + earlyMs : this.#finish(standing, standing.own)
  }

  /** Publishes and decides a claimed slot; each half is repeated alone if the other has been done. */
  async #finish(standing: Standing<Payload>, own: OwnClaim): Promise<number | undefined> {
    if (!own.published && this.#monotonic() >= own.publishBefore) {
      standing.own = undefined
      return standing.takeOverAt
    }
    own.published ??= await this.#publish(standing.entry, own)
    const decision = rowOf(own.published)
    const inForce = await this.#options.store.decide(decision, own.claim.term)
    standing.own = undefined
    standing.cursor = { ...standing.cursor, claim: null }
    // Another beat may have taken the claim over and been faster: then its decision stands, and it has told.
    const ours = inForce.decision === decision.decision && inForce.holder === decision.holder
    if (ours) this.#options.emit('beat:decided', own.published)
    return this.#wakeFor(standing)
  }

  async #publish(entry: BeatEntry<Payload>, own: OwnClaim): Promise<BeatEvents['beat:decided']> {
    const { nominal } = own.claim
    const messageId = slotId(entry.name, nominal)
    const lateMs = Math.max(0, this.#options.now() - nominal)
    const fired = await this.#fire(entry, { nominal, messageId, publishBefore: own.publishBefore })
    return { entry: entry.name, nominal, messageId, lateMs, ...fired }
  }

  async #fire(
    entry: BeatEntry<Payload>,
    slot: Slot,
  ): Promise<Pick<BeatEvents['beat:decided'], 'decision' | 'holder' | 'error'>> {
    try {
      return { ...(await this.#options.fire(entry, slot)), error: null }
    } catch (error) {
      if (isUnanswered(error)) throw error
      return { decision: 'error', holder: null, error: asError(error) }
    }
  }

  /** When the entry wants to be looked at, as far as the cursor tells; undefined for never. */
  #wakeFor({ entry, cursor, takeOverAt }: Standing<Payload>): number | undefined {
    const next = nextSlot(entry, cursor.nominal)
    const goesOutAt = next === undefined ? undefined : dueAt(entry, next)
    if (!cursor.claim) return goesOutAt
    // While another's claim is open its slot is not passed; by the next slot it is usually decided.
    return goesOutAt !== undefined && goesOutAt > this.#options.now() ? Math.min(goesOutAt, takeOverAt) : takeOverAt
  }

  async #readClock(): Promise<void> {
    const sentAt = this.#monotonic()
    this.#noteClock(await this.#options.store.now(), sentAt)
  }

  #noteClock(storeNow: number, sentAt: number): void {
    const behindMs = this.#clockReadAt === 0 ? 0 : this.#storeNow + (sentAt - this.#clockReadAt) - storeNow
    if (behindMs > CLOCK_STEP_MS) this.#tellSetBack(behindMs)
    this.#clockReadAt = sentAt
    this.#storeNow = storeNow
    this.#options.observe?.(storeNow, sentAt)
  }

  /** Slots up to the cursor have had their decision: an entry rests until the clock has caught up with it. */
  #tellSetBack(byMs: number): void {
    const what = `the store's clock was set back by ${formatDuration(byMs)}: entries rest until it has caught up`
    this.#options.emit('beat:trouble', { error: new Error(what), entry: null, retryInMs: Math.round(byMs) })
  }

  #place(standing: Standing<Payload>): void {
    try {
      this.#wake(standing, this.#wakeFor(standing))
    } catch (error) {
      this.#rest(standing, error)
    }
  }

  #wake(standing: Standing<Payload>, dueAt: number | undefined): void {
    if (dueAt === undefined) return
    standing.dueAt = dueAt
    this.#queue.push(standing, dueAt)
  }

  /** One entry that cannot go on must not stop the others. */
  #rest(standing: Standing<Payload>, error: unknown): void {
    const { now, emit } = this.#options
    emit('beat:trouble', { error: asError(error), entry: standing.entry.name, retryInMs: ENTRY_RETRY_MS })
    this.#wake(standing, now() + ENTRY_RETRY_MS)
  }
}

function rowOf({ entry, nominal, decision, messageId, holder }: BeatEvents['beat:decided']): Omit<Decision, 'at'> {
  return { entry, nominal, decision, messageId, holder: holder?.id ?? null, slots: 1 }
}

/** Nothing is known about what was sent: the same is sent again. */
function isUnanswered(error: unknown): boolean {
  return hasCode(error, 'STORE_UNAVAILABLE', 'BROKER_UNAVAILABLE', 'PUBLISH_UNKNOWN')
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
