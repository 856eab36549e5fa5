import type { RuleOf } from './changeover.js'
import { editionOf } from './edition.js'
import type { EmitBeat } from './event.js'
import { type Merging, merging } from './merge.js'
import type { BeatReport, EntryPut, ScheduleStore } from './schedule-store.js'

export interface ConfiguringOptions {
  readonly store: ScheduleStore
  readonly config: readonly EntryPut[]
  readonly ruleOf: RuleOf
  /** This beat. */
  readonly by: string
  readonly host: Pick<BeatReport, 'name' | 'host' | 'pid' | 'startedAt'>
  readonly emit: EmitBeat
  /** Default `performance.now`. */
  readonly monotonic?: () => number
}

/** How often a beat whose configuration was superseded asks whether it still is. */
const ASK_MS = 2_000

/** Keeps the configuration of this beat's code in force, as long as no newer one is: see `adoptEdition`. */
export class Configuring {
  readonly #options: ConfiguringOptions
  readonly #monotonic: () => number
  /** Names the configuration of this beat. */
  readonly edition: string
  /** Ours is in force, and this beat has seen to it that all of it is in the store. */
  #merged = false
  /** The store told so; it holds if the store forgets. */
  #superseded = false
  #askedAt = Number.NEGATIVE_INFINITY

  constructor(options: ConfiguringOptions) {
    this.#options = options
    this.#monotonic = options.monotonic ?? (() => performance.now())
    this.edition = editionOf(options.config)
  }

  /** What is to be brought into the store; undefined while another configuration is in force. @throws StoreUnavailable */
  async merging(): Promise<Merging | undefined> {
    const { store, config, ruleOf } = this.#options
    this.#merged = false
    if (!(await this.#adopt())) return undefined
    const { keeps, write } = merging(store, config, { ruleOf, edition: this.edition })
    return {
      keeps,
      write: async () => {
        this.#merged = await write()
        return this.#merged
      },
    }
  }

  /** Whether `merging` has something to bring again; to be asked with each attendance. @throws StoreUnavailable */
  async isDue(inForce: string | null): Promise<boolean> {
    if (inForce === this.edition) return !this.#merged
    this.#merged = false
    if (this.#monotonic() - this.#askedAt < ASK_MS) return false
    return this.#adopt()
  }

  async #adopt(): Promise<boolean> {
    const { store, by, host, emit } = this.#options
    this.#askedAt = this.#monotonic()
    const report = { ...host, edition: this.edition, entries: 0, lagMs: null, lastTickAt: null, nextAt: null }
    const superseded = (await store.adopt({ by, report, superseded: this.#superseded })) !== this.edition
    if (superseded !== this.#superseded) emit('beat:edition', { inForce: !superseded })
    this.#superseded = superseded
    return !superseded
  }
}
