import type { Fire } from './entry.js'
import type { BeatEvents, EmitBeat } from './event.js'
import { CATCH_UP_LATEST, isTooLate } from './misfire.js'
import type { ScheduleStore } from './schedule-store.js'
import { slotId } from './slot-id.js'
import type { OwnClaim, Standing } from './standing.js'
import { asError, isUnanswered } from './trouble.js'

export interface PublishingOptions<Payload> {
  readonly store: Pick<ScheduleStore, 'decide'>
  readonly fire: Fire<Payload>
  readonly now: () => number
  readonly monotonic: () => number
  readonly wall: () => number
  readonly emit: EmitBeat
  readonly noteLag: (lateMs: number) => void
}

type Decided = BeatEvents['beat:decided']

/** A claim that its beat left open past the window: whether it was sent is not known, and now it is too late for it. */
const LEFT_TOO_LONG = { decision: 'missed', holder: null, error: null } as const

/** Brings a claim of this beat to its decision. */
export class Publishing<Payload> {
  readonly #options: PublishingOptions<Payload>

  constructor(options: PublishingOptions<Payload>) {
    this.#options = options
  }

  /**
   * Publishes and decides a claimed slot; each half is repeated alone if the other has been done. `outdated`: the claim
   * is too old to publish under, by a pause or the sleep of this host.
   */
  async finish(standing: Standing<Payload>, own: OwnClaim): Promise<'decided' | 'outdated'> {
    if (!own.published && this.#isOutdated(own)) {
      standing.own = undefined
      return 'outdated'
    }
    own.published ??= await this.#publish(standing, own)
    const { store, emit } = this.#options
    const { decision, holder, nominal } = own.published
    const { term } = own.claim
    const row = { entry: standing.name, nominal, decision, holder: holder?.id ?? null, slots: 1, term } as const
    const inForce = await store.decide(row)
    standing.own = undefined
    standing.cursor = { ...standing.cursor, claim: null }
    // Another beat may have taken the claim over and been faster: then its decision stands, and it has told.
    if (inForce.term === term) emit('beat:decided', own.published)
    return 'decided'
  }

  #isOutdated({ publishBefore, wallBefore }: OwnClaim): boolean {
    return this.#options.monotonic() >= publishBefore || this.#options.wall() >= wallBefore
  }

  async #publish({ entry }: Standing<Payload>, own: OwnClaim): Promise<Decided> {
    const { nominal } = own.claim
    const messageId = slotId(entry.name, nominal)
    const now = this.#options.now()
    const lateMs = Math.max(0, now - nominal)
    const late = isTooLate(entry, { nominal, now, catchUp: entry.catchUp ?? CATCH_UP_LATEST })
    const fired = late
      ? LEFT_TOO_LONG
      : await this.#fire(entry, { nominal, messageId, publishBefore: own.publishBefore })
    this.#options.noteLag(lateMs)
    return { entry: entry.name, nominal, messageId, lateMs, ...fired }
  }

  async #fire(...[entry, slot]: Parameters<Fire<Payload>>): Promise<Pick<Decided, 'decision' | 'holder' | 'error'>> {
    try {
      return { ...(await this.#options.fire(entry, slot)), error: null }
    } catch (error) {
      if (isUnanswered(error)) throw error
      return { decision: 'error', holder: null, error: asError(error) }
    }
  }
}
