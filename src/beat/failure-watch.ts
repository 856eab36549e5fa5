import { DECISIONS_KEPT, type DecisionName, type ScheduleStore } from './schedule-store.js'
import { slotId } from './slot-id.js'
import type { Standing } from './standing.js'

/** How a run ended, as its recorded outcome says. */
export interface RunEnd {
  readonly failed: boolean
  /** Epoch ms. */
  readonly at: number
}

export interface FailureWatchOptions {
  readonly store: Pick<ScheduleStore, 'history' | 'alter'>
  /** Undefined: it has not ended, or nothing is known of it any more. */
  readonly endOf: (messageId: string) => Promise<RunEnd | undefined>
  /** The longest pause between two looks at runs that have not ended: less than outcomes are kept. */
  readonly longestLookMs: number
  readonly now: () => number
}

const RUNS: readonly DecisionName[] = ['published', 'deferred', 'queued', 'replaced']
/** Of one entry, the last: more than run side by side. Each that has not ended costs a request a look. */
const WATCHED_RUNS = 10
const SHORTEST_LOOK_MS = 1_000
/** A beat that begins to lead looks at all its entries within this time, not at once. */
export const FIRST_LOOK_MS = 30_000

/**
 * Pauses entries that say so once a run of theirs has failed. Nobody has to tell of the failure: the outcomes of the last
 * runs are read before each slot, and now and then before that, by whichever beat leads. So whoever dies between a
 * failure and its pause, the pause comes.
 */
export class FailureWatch {
  readonly #options: FailureWatchOptions

  constructor(options: FailureWatchOptions) {
    this.#options = options
  }

  /** Whether the entry is paused now. @throws ServerUnavailable */
  async look(standing: Standing<unknown>): Promise<boolean> {
    const { store, endOf } = this.#options
    const { name, changedAt } = standing
    const runs = (await store.history(name, DECISIONS_KEPT)).filter(({ decision }) => RUNS.includes(decision))
    const watched = runs.slice(0, WATCHED_RUNS).map(({ nominal }) => nominal)
    const ended = new Set(watched.filter((nominal) => standing.ended.has(nominal)))
    for (const nominal of watched) {
      const id = slotId(name, nominal)
      const end = ended.has(nominal) ? undefined : await endOf(id)
      if (!end) continue
      // Somebody has resumed, changed or run the entry by hand since: that failure pauses it no more.
      if (end.failed && end.at > changedAt) return this.#pause(name, id)
      ended.add(nominal)
    }
    standing.ended = ended
    standing.lookAt = this.#next(watched.filter((nominal) => !ended.has(nominal)))
    return false
  }

  /** A run of it was published: it is open from now on. */
  opened(standing: Standing<unknown>): void {
    if (standing.entry.pauseOnFailure) standing.lookAt = this.#options.now() + SHORTEST_LOOK_MS
  }

  async #pause(name: string, id: string): Promise<true> {
    await this.#options.store.alter(name, { to: 'paused', why: `the run ${id} failed` })
    return true
  }

  /** The older an open run, the rarer; never again where none is open. */
  #next([newest]: readonly number[]): number {
    if (newest === undefined) return Number.POSITIVE_INFINITY
    const now = this.#options.now()
    return now + Math.min(this.#options.longestLookMs, Math.max(SHORTEST_LOOK_MS, (now - newest) / 4))
  }
}
