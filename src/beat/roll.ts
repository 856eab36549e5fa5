import { DueQueue } from './due-queue.js'
import type { BeatEntry } from './entry.js'
import type { EmitBeat } from './event.js'
import { FIRST_LOOK_MS } from './failure-watch.js'
import type { EntryRow } from './schedule-store.js'
import { type Standing, standingOf, wakeFor } from './standing.js'
import { asError } from './trouble.js'

export interface RollOptions<Payload> {
  /** What a stored entry means here; undefined: its code is elsewhere. @throws where this version cannot read it. */
  readonly entryOf: (row: EntryRow) => BeatEntry<Payload> | undefined
  /** Whether runs are looked at that may have failed. */
  readonly watchesFailures: boolean
  readonly now: () => number
  readonly emit: EmitBeat
}

/** How long an entry rests whose schedule goes wrong. */
const ENTRY_RETRY_MS = 30_000

/** The entries that this beat serves, by name and by when they want to be looked at. */
export class Roll<Payload> {
  readonly #options: RollOptions<Payload>
  readonly #standings = new Map<string, Standing<Payload>>()
  readonly #queue = new DueQueue<Standing<Payload>>()
  /** Entries that are left to beats that can read them, and the revision that was tried. */
  readonly #foreign = new Map<string, number>()

  constructor(options: RollOptions<Payload>) {
    this.#options = options
  }

  get size(): number {
    return this.#standings.size
  }

  /** Entries that this beat cannot read. */
  get foreign(): number {
    return this.#foreign.size
  }

  get names(): string[] {
    return [...this.#standings.keys(), ...this.#foreign.keys()]
  }

  /** Infinity for never. */
  get earliest(): number {
    return this.#queue.earliest
  }

  takeDue(now: number): Standing<Payload>[] {
    return this.#queue.takeDue(now)
  }

  /** Takes in a row that was read beside the steps: an entry with one under way is read again when that has ended. */
  take(row: EntryRow): void {
    const before = this.#standings.get(row.name)
    if (before?.underWay && row.state !== 'removed') before.overtaken = true
    else this.retake(row)
  }

  /** Takes in a row that the entry's own step has read. */
  retake(row: EntryRow): Standing<Payload> | undefined {
    if (row.state === 'removed') return this.drop(row.name)
    const entry = this.#read(row)
    if (!entry) return this.#leave(row.name)
    const before = this.#standings.get(row.name)
    const watched = before?.entry.pauseOnFailure && entry.pauseOnFailure
    const standing = standingOf(row, entry, before)
    if (!watched) standing.lookAt = this.#firstLook(entry)
    this.#standings.set(row.name, standing)
    this.#queue.delete(standing)
    this.#place(standing)
    return standing
  }

  drop(name: string): undefined {
    this.#foreign.delete(name)
    return this.#leave(name)
  }

  /** Looks at the entry at that instant again; never, where it is undefined or the entry is no longer on the roll. */
  wake(standing: Standing<Payload>, dueAt: number | undefined): void {
    if (dueAt === undefined || this.#standings.get(standing.name) !== standing) return
    standing.dueAt = dueAt
    this.#queue.set(standing, dueAt)
  }

  /** One entry that cannot go on must not stop the others. */
  rest(standing: Standing<Payload>, error: unknown): void {
    const { emit, now } = this.#options
    emit('beat:trouble', { error: asError(error), entry: standing.name, retryInMs: ENTRY_RETRY_MS })
    this.wake(standing, now() + ENTRY_RETRY_MS)
  }

  #leave(name: string): undefined {
    const standing = this.#standings.get(name)
    if (standing) this.#queue.delete(standing)
    this.#standings.delete(name)
  }

  /** What a newer version wrote is foreign until it is changed, and told of once. */
  #read(row: EntryRow): BeatEntry<Payload> | undefined {
    const { name, revision } = row
    const tried = this.#foreign.get(name)
    try {
      const entry = this.#options.entryOf(row)
      if (entry) this.#foreign.delete(name)
      else this.#foreign.set(name, revision)
      return entry
    } catch (cause) {
      this.#foreign.set(name, revision)
      if (tried !== revision) this.#tellUnreadable(name, cause)
      return undefined
    }
  }

  #firstLook({ pauseOnFailure }: BeatEntry<Payload>): number {
    const { watchesFailures, now } = this.#options
    return watchesFailures && pauseOnFailure ? now() + Math.random() * FIRST_LOOK_MS : Number.POSITIVE_INFINITY
  }

  #tellUnreadable(entry: string, cause: unknown): void {
    const left = 'it is left to beats that can, and tried again when it is changed'
    const error = new Error(`this beat cannot read it (${asError(cause).message}): ${left}`, { cause })
    this.#options.emit('beat:trouble', { error, entry, retryInMs: null })
  }

  #place(standing: Standing<Payload>): void {
    try {
      this.wake(standing, wakeFor(standing, this.#options.now()))
    } catch (error) {
      this.rest(standing, error)
    }
  }
}
