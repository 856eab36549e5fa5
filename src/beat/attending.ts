import type { ClockWatch } from './clock-watch.js'
import type { EmitBeat } from './event.js'
import type { Attendance, BeatReport, ScheduleStore } from './schedule-store.js'

export interface AttendingOptions {
  readonly store: Pick<ScheduleStore, 'attend'>
  readonly by: string
  readonly emit: EmitBeat
  readonly clock: ClockWatch
  readonly monotonic: () => number
  /** Who this beat is, for people. */
  readonly host: Pick<BeatReport, 'name' | 'host' | 'pid' | 'startedAt' | 'edition'> | undefined
  readonly pollMs: number | undefined
}

/** What a beat tells of its work, and whether it may lead. */
export interface Work extends Pick<BeatReport, 'entries' | 'lastTickAt' | 'nextAt'> {
  readonly mayLead: boolean
}

const POLL_MS = 500
/** A leader that was not heard of for so long has lost the lead. */
const LEAD_MS = 3_000
const REPORT_MS = 2_000
/** A leader that could not publish leaves the lead to others for so long. */
const STAND_BACK_MS = 10_000

/** This beat among the others: one request each half second tells that it lives, and hears of changes and of the leader. */
export class Attending {
  readonly #options: AttendingOptions
  readonly #pollMs: number
  #attendedAt = Number.NEGATIVE_INFINITY
  #answeredAt = Number.NEGATIVE_INFINITY
  #reportedAt = Number.NEGATIVE_INFINITY
  #standsBackUntil = Number.NEGATIVE_INFINITY
  /** Undefined before the first answer. */
  #leads: boolean | undefined
  #lagMs: number | null = null

  constructor(options: AttendingOptions) {
    this.#options = options
    this.#pollMs = options.pollMs ?? POLL_MS
  }

  /** Whether this beat should do the work: it leads, or nobody does. */
  get leads(): boolean {
    return this.#leads ?? true
  }

  /** Until the next attendance. */
  get restMs(): number {
    return Math.max(0, Math.ceil(this.#attendedAt + this.#pollMs - this.#options.monotonic()))
  }

  get lagMs(): number | null {
    return this.#lagMs
  }

  /** Since the store last answered; infinite before it did. */
  get silentMs(): number {
    return this.#options.monotonic() - this.#answeredAt
  }

  noteLag(lateMs: number): void {
    this.#lagMs = Math.round(lateMs)
  }

  standBack(): void {
    this.#standsBackUntil = this.#options.monotonic() + STAND_BACK_MS
    this.#attendedAt = Number.NEGATIVE_INFINITY
  }

  /** Undefined where it is not yet time. @throws StoreUnavailable */
  async attend({ mayLead, ...work }: Work): Promise<Attendance | undefined> {
    const { store, by, clock, monotonic } = this.#options
    if (this.restMs > 0) return undefined
    const sentAt = monotonic()
    const seeks = mayLead && sentAt >= this.#standsBackUntil
    const seen = await store.attend({ by, report: this.#report(work, sentAt), leadMs: seeks ? LEAD_MS : null })
    clock.note(seen.now, sentAt)
    this.#attendedAt = sentAt
    this.#answeredAt = sentAt
    this.#note(seen.leader === by || seen.leader === null)
    return seen
  }

  #note(leads: boolean): void {
    const told = this.#leads ?? false
    this.#leads = leads
    if (leads !== told) this.#options.emit('beat:lead', { leads })
  }

  #report(work: Omit<Work, 'mayLead'>, sentAt: number): BeatReport | null {
    const { host } = this.#options
    if (!host || sentAt - this.#reportedAt < REPORT_MS) return null
    this.#reportedAt = sentAt
    return { ...host, ...work, lagMs: this.#lagMs }
  }
}
