import { Attending, type AttendingOptions } from './attending.js'
import { changedPages } from './changed-rows.js'
import { ClockWatch } from './clock-watch.js'
import { DueQueue } from './due-queue.js'
import type { BeatEntry, Fire } from './entry.js'
import type { BeatEvents, EmitBeat } from './event.js'
import { type BeatHealth, WELL_MS } from './health.js'
import { inParallel } from './in-parallel.js'
import type { Merging } from './merge.js'
import { CATCH_UP_LATEST, isTooLate, type MissedSlots, planSlots, type SlotPlan } from './misfire.js'
import type { Claim, Dropped, EntryRow, ReserveAnswer, ScheduleStore } from './schedule-store.js'
import { dueAt } from './slot.js'
import { slotId } from './slot-id.js'
import { type OwnClaim, type Standing, standingOf, wakeFor } from './standing.js'
import { asError, isUnanswered } from './trouble.js'

export interface SchedulerOptions<Payload> {
  readonly store: ScheduleStore
  /** What a stored entry means here; undefined: its code is elsewhere, and another beat's. @throws UsageError */
  readonly entryOf: (row: EntryRow) => BeatEntry<Payload> | undefined
  /** Brings what the configuration says into the store; done at the start, and after a store has lost its data. */
  readonly merge?: () => Merging
  readonly fire: Fire<Payload>
  /** Whether the run of a message has failed for good; asked for entries that pause on a failure. */
  readonly failed?: (messageId: string) => Promise<boolean>
  /** This beat, unlike any other that runs: two under one name could publish on one claim. */
  readonly by: string
  readonly host?: AttendingOptions['host']
  /** An estimate of the store's clock, epoch ms. */
  readonly now: () => number
  readonly emit: EmitBeat
  /** Told of each answer's `now`, with `performance.now()` before sending, to better that estimate. */
  readonly observe?: (storeNow: number, sentAt: number) => void
  /** The longest a tick asks to sleep. Default 5,000. */
  readonly maxIntervalMs?: number
  /** How often the store is asked what has changed, and told that this beat lives. Default 500. */
  readonly pollMs?: number
  /**
   * A claim ends after this long by the store's clock; by then its slot is published, or the claim is another's. At
   * least 2,000, default 10,000.
   */
  readonly claimMs?: number
  /** Milliseconds that no clock change moves. Default `performance.now`. */
  readonly monotonic?: () => number
}

const CLAIM_MS = 10_000
/** Nothing is sent in the last part of a claim: what is sent must arrive before it ends. */
const MARGIN_MS = 1_000
const PARALLEL_SLOTS = 50
/** How long an entry rests whose schedule or store row cannot be used. */
const ENTRY_RETRY_MS = 30_000

/**
 * Brings each slot of each entry to one decision, together with any number of others over the same store.
 *
 * A slot is claimed by moving the entry's cursor on (compare-and-set), published through `fire`, and decided. Whoever
 * dies between these steps leaves a claim that the next beat takes over at its deadline, under the same message id. Next
 * times come from the last nominal time, never from now. One of the beats leads, the others rest: that saves their
 * work; two that tick at once are no less exact.
 */
export class Scheduler<Payload> {
  readonly #options: SchedulerOptions<Payload>
  readonly #monotonic: () => number
  readonly #claimMs: number
  readonly #clock: ClockWatch
  readonly #attending: Attending
  readonly #queue = new DueQueue<Standing<Payload>>()
  readonly #standings = new Map<string, Standing<Payload>>()
  /** Entries that are left to beats that have their code. */
  readonly #foreign = new Set<string>()
  /** The revision up to which changes are known. */
  #seen = 0
  #tickedAt: number | null = null

  constructor(options: SchedulerOptions<Payload>) {
    const { store, by, emit, host, observe, pollMs } = options
    this.#options = options
    this.#claimMs = options.claimMs ?? CLAIM_MS
    this.#monotonic = options.monotonic ?? (() => performance.now())
    this.#clock = new ClockWatch({ emit, observe })
    this.#attending = new Attending({ store, by, emit, host, pollMs, monotonic: this.#monotonic, clock: this.#clock })
  }

  /** Reads what runs when, and where it stands; may be called again. @throws StoreUnavailable */
  async start(): Promise<void> {
    const sentAt = this.#monotonic()
    this.#clock.note(await this.#options.store.now(), sentAt)
    const merging = this.#options.merge?.()
    await this.#reload((row) => merging?.keeps(row) ?? true)
    await merging?.write()
    if (merging) await this.#refresh()
  }

  /** Hands over at once. */
  async stop(): Promise<void> {
    await this.#options.store.leave(this.#options.by)
  }

  /**
   * One pass over what is due. Answers after how many ms the next one is wanted, at most `maxIntervalMs`.
   *
   * @throws ServerUnavailable, PublishUnknown when a server did not answer: nothing is lost, the next pass tries again.
   */
  async tick(): Promise<number> {
    await this.#attend()
    const { now, maxIntervalMs = 5_000 } = this.#options
    if (!this.#attending.leads) return Math.min(maxIntervalMs, this.#attending.restMs)
    const due = this.#queue.takeDue(now())
    this.#tickedAt = Math.round(now())
    const leftOver = (standing: Standing<Payload>) => this.#queue.set(standing, standing.dueAt)
    try {
      await inParallel(due, { limit: PARALLEL_SLOTS, leftOver }, (standing) => this.#visit(standing))
    } catch (error) {
      // Another may reach what this one cannot.
      this.#attending.standBack()
      throw error
    }
    const waitMs = Math.ceil(this.#queue.earliest - now())
    return Math.min(maxIntervalMs, this.#attending.restMs, Math.max(0, waitMs))
  }

  health(): BeatHealth {
    const { leads, lagMs, silentMs } = this.#attending
    const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString())
    const at = { lastTickAt: iso(this.#tickedAt), nextAt: iso(this.#nextAt) }
    return { ok: silentMs < WELL_MS, leader: leads, entries: this.#standings.size, lagMs, ...at }
  }

  get #nextAt(): number | null {
    return Number.isFinite(this.#queue.earliest) ? this.#queue.earliest : null
  }

  async #attend(): Promise<void> {
    const led = this.#attending.leads
    const seen = await this.#attending.attend({
      entries: this.#standings.size,
      nextAt: this.#nextAt,
      lastTickAt: this.#tickedAt,
      // Whoever leads must know all entries.
      mayLead: this.#foreign.size === 0,
    })
    if (!seen) return
    if (seen.revision < this.#seen) await this.start()
    else if (this.#attending.leads && !led) await this.#reload()
    else if (seen.revision !== this.#seen) await this.#refresh()
  }

  /** Reads everything anew, but for rows that are about to be written. */
  async #reload(stays: (row: EntryRow) => boolean = () => true): Promise<void> {
    this.#seen = 0
    const known = new Set(this.#standings.keys())
    await this.#refresh((row) => {
      known.delete(row.name)
      return stays(row)
    })
    for (const name of known) this.#drop(name)
  }

  /** Takes in what has changed: as many entries as changed, whatever there are. */
  async #refresh(wanted: (row: EntryRow) => boolean = () => true): Promise<void> {
    for await (const { rows, revision } of changedPages(this.#options.store, this.#seen)) {
      for (const row of rows) if (wanted(row)) this.#take(row)
      this.#seen = revision
    }
  }

  #take(row: EntryRow): Standing<Payload> | undefined {
    const entry = row.state === 'removed' ? undefined : this.#read(row)
    if (!entry) return this.#drop(row.name)
    const standing = standingOf(row, entry, this.#standings.get(row.name))
    this.#standings.set(row.name, standing)
    this.#queue.delete(standing)
    this.#place(standing)
    return standing
  }

  #read(row: EntryRow): BeatEntry<Payload> | undefined {
    this.#foreign.delete(row.name)
    try {
      const entry = this.#options.entryOf(row)
      if (!entry) this.#foreign.add(row.name)
      return entry
    } catch (error) {
      this.#tellTrouble(row.name, error)
      return undefined
    }
  }

  #drop(name: string): undefined {
    const standing = this.#standings.get(name)
    if (standing) this.#queue.delete(standing)
    this.#standings.delete(name)
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
    const { cursor, entry, takeOverAt, askedAt, resumedAt, active } = standing
    const now = this.#options.now()
    if (cursor.claim) return now >= takeOverAt ? this.#takeOver(standing, cursor.claim) : this.#wakeFor(standing)
    if (askedAt !== null && askedAt <= now)
      return this.#reserve(standing, { nominal: askedAt, kind: 'asked', missed: null })
    if (!active) return this.#wakeFor(standing)
    if (resumedAt !== null && resumedAt > cursor.nominal) return this.#passPaused(standing, resumedAt)
    const plan = planSlots(entry, { after: cursor.nominal, now, catchUp: entry.catchUp ?? CATCH_UP_LATEST })
    return plan ? this.#follow(standing, plan) : this.#wakeFor(standing)
  }

  async #follow(standing: Standing<Payload>, { fire, missed }: SlotPlan): Promise<number | undefined> {
    const [nominal] = fire
    if (await this.#pausesAfterFailure(standing)) return this.#changed(standing)
    if (nominal !== undefined) return this.#reserve(standing, { nominal, kind: 'slot', missed })
    if (missed) return this.#pass(standing, { decision: 'missed', ...missed })
    return this.#wakeFor(standing)
  }

  async #reserve(
    standing: Standing<Payload>,
    { nominal, kind, missed }: { nominal: number; kind: 'slot' | 'asked'; missed: MissedSlots | null },
  ): Promise<number | undefined> {
    const { store, by, emit } = this.#options
    const { name, revision, cursor } = standing
    const sentAt = this.#monotonic()
    const dropped: Dropped[] = missed ? [{ decision: 'missed', slots: missed.slots, latest: missed.latest }] : []
    const of = { entry: name, revision, from: cursor.nominal, nominal, kind } as const
    const answer = await store.reserve({ ...of, by, claimMs: this.#claimMs, dropped })
    if (kind === 'asked' && isTaken(answer, nominal)) standing.askedAt = null
    if (answer.outcome === 'reserved' && missed) emit('beat:missed', { entry: name, ...missed })
    return this.#settle(standing, answer, sentAt)
  }

  /** Slots that came due in the pause are recorded, and not caught up with. */
  async #passPaused(standing: Standing<Payload>, resumedAt: number): Promise<number | undefined> {
    const { entry, cursor } = standing
    const none = { windowMs: Number.POSITIVE_INFINITY, limit: 0 }
    const plan = planSlots(entry, { after: cursor.nominal, now: resumedAt, catchUp: none })
    // Unanswered it is asked again; once passed, a second look finds nothing left.
    if (plan?.missed) return this.#pass(standing, { decision: 'paused', ...plan.missed })
    standing.resumedAt = null
    return this.#wakeFor(standing)
  }

  async #pass(
    standing: Standing<Payload>,
    { decision, slots, latest, exact }: Dropped & MissedSlots,
  ): Promise<number | undefined> {
    const { store, emit } = this.#options
    const { name, revision, cursor } = standing
    const sentAt = this.#monotonic()
    const dropped = [{ decision, slots, latest }]
    const answer = await store.pass({ entry: name, revision, from: cursor.nominal, to: latest, dropped })
    const passed = answer.outcome === 'moved' && answer.cursor.nominal === latest && !answer.cursor.claim
    if (passed && decision === 'missed') emit('beat:missed', { entry: name, slots, latest, exact })
    return this.#settle(standing, answer, sentAt)
  }

  async #takeOver(standing: Standing<Payload>, { term }: Claim): Promise<number | undefined> {
    const { store, by } = this.#options
    const sentAt = this.#monotonic()
    const answer = await store.takeOver({ entry: standing.name, term, by, claimMs: this.#claimMs })
    return this.#settle(standing, answer, sentAt)
  }

  /** Takes in an answer about the cursor, and goes on if the claim is ours. */
  async #settle(standing: Standing<Payload>, answer: ReserveAnswer, sentAt: number): Promise<number | undefined> {
    const { by, now } = this.#options
    this.#clock.note(answer.now, sentAt)
    if (answer.outcome === 'changed') return this.#changed(standing)
    const { nominal } = answer.outcome === 'reserved' ? answer : answer.cursor
    const claim = answer.outcome === 'reserved' ? answer.claim : answer.cursor.claim
    standing.cursor = { nominal, claim }
    if (!claim) return this.#wakeFor(standing)
    const remainingMs = Math.max(0, claim.deadline - answer.now)
    // The earliest that it can be, also if this process was paused since: too early is answered with the time left.
    standing.takeOverAt = now() + Math.max(0, sentAt + remainingMs - this.#monotonic())
    // A claim of ours in an answer that says "moved": the reply to an earlier request was lost.
    if (claim.by !== by) return this.#wakeFor(standing)
    const publishBefore = sentAt + remainingMs - MARGIN_MS
    standing.own = { claim, publishBefore, published: undefined }
    // Our estimate ran ahead of the store's clock: the slot is ours, its time has not come.
    const earlyMs = claim.nominal === nominal ? dueAt(standing.entry, nominal) - answer.now : 0
    return earlyMs > 0 ? now() + earlyMs : this.#finish(standing, standing.own)
  }

  /** The entry is not what we took it for: only it is read again. */
  async #changed({ name }: Standing<Payload>): Promise<number | undefined> {
    const row = await this.#options.store.show(name)
    const standing = row ? this.#take(row) : this.#drop(name)
    return standing && this.#wakeFor(standing)
  }

  /** Publishes and decides a claimed slot; each half is repeated alone if the other has been done. */
  async #finish(standing: Standing<Payload>, own: OwnClaim): Promise<number | undefined> {
    if (!own.published && this.#monotonic() >= own.publishBefore) {
      standing.own = undefined
      return standing.takeOverAt
    }
    own.published ??= await this.#publish(standing, own)
    const { store, emit } = this.#options
    const { decision, holder, nominal } = own.published
    const { term } = own.claim
    const row = { entry: standing.name, nominal, decision, holder: holder?.id ?? null, slots: 1, term } as const
    const inForce = await store.decide(row)
    standing.own = undefined
    standing.cursor = { ...standing.cursor, claim: null }
    if (decision === 'published') standing.lastRun = nominal
    // Another beat may have taken the claim over and been faster: then its decision stands, and it has told.
    if (inForce.term === term) emit('beat:decided', own.published)
    return this.#wakeFor(standing)
  }

  async #publish({ entry }: Standing<Payload>, own: OwnClaim): Promise<BeatEvents['beat:decided']> {
    const { nominal } = own.claim
    const messageId = slotId(entry.name, nominal)
    const now = this.#options.now()
    const lateMs = Math.max(0, now - nominal)
    const late = isTooLate(entry, { nominal, now, catchUp: entry.catchUp ?? CATCH_UP_LATEST })
    const fired = late
      ? LEFT_TOO_LONG
      : await this.#fire(entry, { nominal, messageId, publishBefore: own.publishBefore })
    this.#attending.noteLag(lateMs)
    return { entry: entry.name, nominal, messageId, lateMs, ...fired }
  }

  async #fire(
    ...[entry, slot]: Parameters<Fire<Payload>>
  ): Promise<Pick<BeatEvents['beat:decided'], 'decision' | 'holder' | 'error'>> {
    try {
      return { ...(await this.#options.fire(entry, slot)), error: null }
    } catch (error) {
      if (isUnanswered(error)) throw error
      return { decision: 'error', holder: null, error: asError(error) }
    }
  }

  async #pausesAfterFailure({ entry, lastRun, changedAt, name }: Standing<Payload>): Promise<boolean> {
    const { failed, store } = this.#options
    if (!entry.pauseOnFailure || lastRun === null || !failed) return false
    // Somebody has resumed or mended the entry since: that failure pauses it no second time.
    if (lastRun < changedAt) return false
    const id = slotId(name, lastRun)
    if (!(await failed(id))) return false
    await store.alter(name, { to: 'paused', why: `the run ${id} failed` })
    return true
  }

  #wakeFor(standing: Standing<Payload>): number | undefined {
    return wakeFor(standing, this.#options.now())
  }

  #place(standing: Standing<Payload>): void {
    try {
      this.#wake(standing, this.#wakeFor(standing))
    } catch (error) {
      this.#rest(standing, error)
    }
  }

  #wake(standing: Standing<Payload>, dueAt: number | undefined): void {
    if (dueAt === undefined || this.#standings.get(standing.name) !== standing) return
    standing.dueAt = dueAt
    this.#queue.set(standing, dueAt)
  }

  /** One entry that cannot go on must not stop the others. */
  #rest(standing: Standing<Payload>, error: unknown): void {
    this.#tellTrouble(standing.name, error)
    this.#wake(standing, this.#options.now() + ENTRY_RETRY_MS)
  }

  #tellTrouble(entry: string, error: unknown): void {
    this.#options.emit('beat:trouble', { error: asError(error), entry, retryInMs: ENTRY_RETRY_MS })
  }
}

/** A run is asked for once: somebody has it, or nobody wants it any more. While another slot's claim is open it waits. */
function isTaken(answer: ReserveAnswer, askedAt: number): boolean {
  if (answer.outcome !== 'moved') return answer.outcome === 'reserved'
  return answer.cursor.claim === null || answer.cursor.claim.nominal === askedAt
}

/** A claim that its beat left open past the window: whether it was sent is not known, and now it is too late for it. */
const LEFT_TOO_LONG = { decision: 'missed', holder: null, error: null } as const
