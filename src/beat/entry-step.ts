import type { Claimed, Claiming } from './claiming.js'
import type { FailureWatch } from './failure-watch.js'
import { CATCH_UP_LATEST, planSlots, type SlotPlan } from './misfire.js'
import type { Publishing } from './publishing.js'
import type { Roll } from './roll.js'
import type { ScheduleStore } from './schedule-store.js'
import { nextSlot } from './slot.js'
import { type Standing, wakeFor } from './standing.js'

export interface EntryStepOptions<Payload> {
  readonly store: Pick<ScheduleStore, 'show'>
  readonly roll: Roll<Payload>
  readonly claiming: Claiming<Payload>
  readonly publishing: Publishing<Payload>
  /** Undefined: failures are not looked for. */
  readonly failures: FailureWatch | undefined
  readonly now: () => number
}

/** An entry's next step, and when it wants another. */
export class EntryStep<Payload> {
  readonly #options: EntryStepOptions<Payload>

  constructor(options: EntryStepOptions<Payload>) {
    this.#options = options
  }

  /** Answers when to look at the entry again; undefined for never. @throws what a server, or its schedule, throws */
  async take(standing: Standing<Payload>): Promise<number | undefined> {
    if (standing.own) return this.#finish(standing)
    if (standing.overtaken) return this.#reread(standing)
    const { claiming, now } = this.#options
    const { cursor, takeOverAt, askedAt, resumedAt, active } = standing
    const at = now()
    if (cursor.claim) {
      return at >= takeOverAt
        ? this.#goOn(standing, await claiming.takeOver(standing, cursor.claim))
        : this.#wait(standing)
    }
    if (askedAt !== null && askedAt <= at) return this.#runAsked(standing, askedAt)
    if (!active) return this.#wait(standing)
    if (resumedAt !== null && resumedAt > cursor.nominal) return this.#passPaused(standing, resumedAt)
    const plan = this.#plan(standing, at)
    return plan || at >= standing.lookAt ? this.#follow(standing, plan) : this.#wait(standing)
  }

  #plan({ entry, cursor }: Standing<Payload>, now: number): SlotPlan | undefined {
    return planSlots(entry, { after: cursor.nominal, now, catchUp: entry.catchUp ?? CATCH_UP_LATEST })
  }

  async #follow(standing: Standing<Payload>, plan: SlotPlan | undefined): Promise<number | undefined> {
    const { claiming, failures } = this.#options
    if (standing.entry.pauseOnFailure && (await failures?.look(standing))) return this.#reread(standing)
    if (!plan) return this.#wait(standing)
    const { fire, missed } = plan
    const [nominal] = fire
    if (nominal !== undefined)
      return this.#goOn(standing, await claiming.reserve(standing, { nominal, kind: 'slot', missed }))
    if (missed) return this.#goOn(standing, await claiming.pass(standing, { decision: 'missed', ...missed }))
    return this.#wait(standing)
  }

  /**
   * A run asked for in the very ms of a slot that is not settled is that slot, which goes first: one decision, one
   * message. What is asked then finds it decided.
   */
  async #runAsked(standing: Standing<Payload>, askedAt: number): Promise<number | undefined> {
    const { entry, active, cursor } = standing
    const isSlot = active && cursor.nominal < askedAt && nextSlot(entry, askedAt - 1) === askedAt
    const plan = isSlot ? this.#plan(standing, askedAt) : undefined
    if (plan) return this.#follow(standing, plan)
    const asked = { nominal: askedAt, kind: 'asked', missed: null } as const
    return this.#goOn(standing, await this.#options.claiming.reserve(standing, asked))
  }

  /** Slots that came due in the pause are recorded, and not caught up with. */
  async #passPaused(standing: Standing<Payload>, resumedAt: number): Promise<number | undefined> {
    const { entry, cursor } = standing
    const none = { windowMs: Number.POSITIVE_INFINITY, limit: 0 }
    const plan = planSlots(entry, { after: cursor.nominal, now: resumedAt, catchUp: none })
    // Unanswered it is asked again; once passed, a second look finds nothing left.
    if (plan?.missed) {
      const dropped = { decision: 'paused', ...plan.missed } as const
      return this.#goOn(standing, await this.#options.claiming.pass(standing, dropped))
    }
    standing.resumedAt = null
    return this.#wait(standing)
  }

  async #goOn(standing: Standing<Payload>, claimed: Claimed): Promise<number | undefined> {
    if (claimed.outcome === 'changed') return this.#reread(standing)
    if (claimed.outcome === 'settled') return this.#wait(standing)
    return claimed.startsAt > this.#options.now() ? claimed.startsAt : this.#finish(standing)
  }

  async #finish(standing: Standing<Payload>): Promise<number | undefined> {
    const { own } = standing
    if (!own) return this.#wait(standing)
    if ((await this.#options.publishing.finish(standing, own)) === 'outdated') return standing.takeOverAt
    this.#options.failures?.opened(standing)
    return this.#wait(standing)
  }

  /** The entry is not what we took it for: only it is read again. */
  async #reread(standing: Standing<Payload>): Promise<number | undefined> {
    const { store, roll } = this.#options
    const { name } = standing
    // Before the question: what changes after it is a change again.
    standing.overtaken = false
    const row = await store.show(name).catch((error: unknown) => {
      standing.overtaken = true
      throw error
    })
    const known = row ? roll.retake(row) : roll.drop(name)
    return known && this.#wait(known)
  }

  #wait(standing: Standing<Payload>): number | undefined {
    return wakeFor(standing, this.#options.now())
  }
}
