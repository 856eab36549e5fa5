import { formatDuration } from '../lock/duration.js'
import { Attending, type AttendingOptions } from './attending.js'
import { changedPages } from './changed-rows.js'
import { Claiming } from './claiming.js'
import { ClockWatch } from './clock-watch.js'
import type { BeatEntry, Fire } from './entry.js'
import { EntryStep } from './entry-step.js'
import type { EmitBeat } from './event.js'
import { FailureWatch, type FailureWatchOptions } from './failure-watch.js'
import { type BeatHealth, WELL_MS } from './health.js'
import { Lanes } from './lanes.js'
import type { Merging } from './merge.js'
import { Publishing } from './publishing.js'
import { Roll } from './roll.js'
import type { EntryRow, ScheduleStore } from './schedule-store.js'
import type { Standing } from './standing.js'
import { isUnanswered } from './trouble.js'

export interface SchedulerOptions<Payload> {
  readonly store: ScheduleStore
  /**
   * What a stored entry means here; undefined: its code is elsewhere. What throws cannot be read by this version. Both are
   * another beat's.
   */
  readonly entryOf: (row: EntryRow) => BeatEntry<Payload> | undefined
  /** Brings what the configuration says into the store; done at the start, and after a store has lost its data. */
  readonly merge?: () => Merging | Promise<Merging | undefined>
  /** Whether that is to be done again; asked with each attendance, about the edition in force. */
  readonly mergeDue?: (inForce: string | null) => Promise<boolean>
  readonly fire: Fire<Payload>
  /** How the run of a message ended, if it has; asked for entries that pause on a failure. */
  readonly endOf?: FailureWatchOptions['endOf']
  /** The longest pause between two such questions. Default 300,000. */
  readonly longestLookMs?: number
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
  /** This host's clock, ms, which goes on while the host sleeps. Default `Date.now`; with `monotonic`, that one. */
  readonly wall?: () => number
}

const CLAIM_MS = 10_000
const LONGEST_LOOK_MS = 300_000
const PARALLEL_SLOTS = 200

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
  readonly #clock: ClockWatch
  readonly #attending: Attending
  readonly #roll: Roll<Payload>
  readonly #step: EntryStep<Payload>
  readonly #lanes: Lanes<Standing<Payload>>
  /** The revision up to which changes are known. */
  #seen = 0
  /** Of the data that this beat knows. */
  #origin: string | undefined
  #tickedAt: number | null = null

  constructor(options: SchedulerOptions<Payload>) {
    const { store, by, emit, host, observe, pollMs, entryOf, now, endOf } = options
    this.#options = options
    this.#monotonic = options.monotonic ?? (() => performance.now())
    this.#clock = new ClockWatch({ emit, observe })
    this.#attending = new Attending({ store, by, emit, host, pollMs, monotonic: this.#monotonic, clock: this.#clock })
    this.#roll = new Roll({ entryOf, now, emit, watchesFailures: endOf !== undefined })
    this.#step = this.#stepsOf(options)
    this.#lanes = new Lanes({
      limit: PARALLEL_SLOTS,
      groupOf: ({ entry }) => (entry.asksCode ? 'code' : 'plain'),
      work: (standing) => this.#visit(standing),
      leftOver: (standing) => this.#end(standing, standing.dueAt),
    })
  }

  /** Reads what runs when, and where it stands; may be called again. @throws StoreUnavailable */
  async start(): Promise<void> {
    const sentAt = this.#monotonic()
    this.#clock.note(await this.#options.store.now(), sentAt)
    const merging = await this.#options.merge?.()
    await this.#reload((row) => merging?.keeps(row) ?? true)
    if (merging) await ((await merging.write()) ? this.#refresh() : this.#reload())
  }

  /** Finishes the steps under way, and hands over at once. */
  async stop(): Promise<void> {
    this.#lanes.drop()
    while (this.#lanes.busy) await this.#lanes.progress(Number.POSITIVE_INFINITY)
    await this.#options.store.leave(this.#options.by)
  }

  /**
   * One pass over what is due. Answers after how many ms the next one is wanted, at most `maxIntervalMs`. It waits for
   * the steps that it began, but not past the next slot or attendance: a slow entry goes on beside later passes, and
   * delays no other.
   *
   * @throws ServerUnavailable, PublishUnknown when a server did not answer: nothing is lost, the next pass tries again.
   */
  async tick(): Promise<number> {
    await this.#attend()
    const { now, maxIntervalMs = 5_000 } = this.#options
    if (this.#attending.leads) {
      this.#tickedAt = Math.round(now())
      this.#begin(this.#roll.takeDue(now()))
    } else this.#lanes.drop()
    await this.#waitForSteps()
    const failure = this.#lanes.takeFailure()
    if (!failure) return this.#attending.leads ? this.#waitMs : Math.min(maxIntervalMs, this.#attending.restMs)
    // Another may reach what this one cannot.
    this.#attending.standBack()
    throw failure.error
  }

  health(): BeatHealth {
    const { leads, lagMs, silentMs } = this.#attending
    const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString())
    const at = { lastTickAt: iso(this.#tickedAt), nextAt: iso(this.#nextAt) }
    const why = silentMs < WELL_MS ? null : silenceText(silentMs)
    return { ok: why === null, why, leader: leads, entries: this.#roll.size, lagMs, ...at }
  }

  get #nextAt(): number | null {
    return Number.isFinite(this.#roll.earliest) ? this.#roll.earliest : null
  }

  /** Until the next pass has something to do. */
  get #waitMs(): number {
    const { now, maxIntervalMs = 5_000 } = this.#options
    const dueInMs = Math.max(0, Math.ceil(this.#roll.earliest - now()))
    return Math.min(maxIntervalMs, this.#attending.restMs, dueInMs)
  }

  async #waitForSteps(): Promise<void> {
    while (this.#lanes.busy) {
      // After a failure what is due stays so; the steps that were under way may yet end.
      const waitMs = this.#lanes.failed || !this.#attending.leads ? this.#attending.restMs : this.#waitMs
      if (waitMs <= 0) return
      await this.#lanes.progress(waitMs)
    }
  }

  async #attend(): Promise<void> {
    const led = this.#attending.leads
    const seen = await this.#attending.attend({
      entries: this.#roll.size,
      nextAt: this.#nextAt,
      lastTickAt: this.#tickedAt,
      // Whoever leads must know all entries.
      mayLead: this.#roll.foreign === 0,
    })
    if (!seen) return
    const { origin, revision, edition } = seen
    const known = this.#origin ?? origin
    if (revision < this.#seen) this.#options.emit('beat:wentBack', { revision, seen: this.#seen })
    const older = revision < this.#seen || origin !== known
    if (older || (await this.#options.mergeDue?.(edition))) await this.start()
    else if (this.#attending.leads && !led) await this.#reload()
    else if (revision !== this.#seen) await this.#refresh()
    this.#origin = origin
  }

  /** Reads everything anew, but for rows that are about to be written. */
  async #reload(stays: (row: EntryRow) => boolean = () => true): Promise<void> {
    this.#seen = 0
    const known = new Set(this.#roll.names)
    await this.#refresh((row) => {
      known.delete(row.name)
      return stays(row)
    })
    for (const name of known) this.#roll.drop(name)
  }

  /** Takes in what has changed: as many entries as changed, whatever there are. */
  async #refresh(wanted: (row: EntryRow) => boolean = () => true): Promise<void> {
    for await (const { rows, revision } of changedPages(this.#options.store, this.#seen)) {
      for (const row of rows) if (wanted(row)) this.#roll.take(row)
      this.#seen = revision
    }
  }

  #begin(due: readonly Standing<Payload>[]): void {
    for (const standing of due) standing.underWay = true
    this.#lanes.add(due)
  }

  async #visit(standing: Standing<Payload>): Promise<void> {
    try {
      this.#end(standing, await this.#step.take(standing))
    } catch (error) {
      this.#end(standing, standing.dueAt)
      if (isUnanswered(error)) throw error
      this.#roll.rest(standing, error)
    }
  }

  #end(standing: Standing<Payload>, wakeAt: number | undefined): void {
    standing.underWay = false
    this.#roll.wake(standing, standing.overtaken ? this.#options.now() : wakeAt)
  }

  #stepsOf(options: SchedulerOptions<Payload>): EntryStep<Payload> {
    const { store, by, now, emit, fire, endOf, claimMs = CLAIM_MS, longestLookMs = LONGEST_LOOK_MS } = options
    const monotonic = this.#monotonic
    const wall = options.wall ?? options.monotonic ?? Date.now
    const clocks = { now, monotonic, wall }
    const noteLag = (lateMs: number) => this.#attending.noteLag(lateMs)
    return new EntryStep({
      store,
      roll: this.#roll,
      claiming: new Claiming({ store, by, claimMs, emit, clock: this.#clock, ...clocks }),
      publishing: new Publishing({ store, fire, emit, noteLag, ...clocks }),
      failures: endOf && new FailureWatch({ store, endOf, longestLookMs, now }),
      now,
    })
  }
}

function silenceText(silentMs: number): string {
  if (!Number.isFinite(silentMs)) return 'the store of the timetable has not answered yet'
  return `the store of the timetable has not answered for ${formatDuration(Math.round(silentMs / 1_000) * 1_000)}`
}
