import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Decision, EntryRow, ScheduleStore } from '../../src/beat/schedule-store.js'
import { until } from './until.js'

const EVERY_MS = 200

/** Reads decisions faster than the history forgets them; one that is read never changes. */
export class DecisionWitness {
  readonly #store: ScheduleStore
  readonly #entries: readonly string[]
  readonly #rows = new Map<string, Map<number, Decision>>()
  #stopped = false

  constructor(store: ScheduleStore, entries: readonly string[]) {
    this.#store = store
    this.#entries = entries
    for (const entry of entries) this.#rows.set(entry, new Map())
  }

  rows(entry: string): Decision[] {
    return [...(this.#rows.get(entry)?.values() ?? [])]
  }

  async watch(): Promise<void> {
    while (!this.#stopped) {
      await this.#read()
      await sleep(EVERY_MS)
    }
    await this.#read()
  }

  /** Waits until all slots up to now have had their turn. */
  async settled(timeoutMs: number): Promise<void> {
    const now = await this.#store.now()
    const caughtUp = async () => (await this.#shown()).every((row) => row.nominal >= now)
    await until(caughtUp, { timeoutMs, everyMs: 50, what: 'beats to catch up' })
  }

  /** Waits until the last claims are decided, and reads a last time. */
  async stop(watching: Promise<void>, timeoutMs: number): Promise<void> {
    const none = async () => (await this.#shown()).every((row) => row.claim === null)
    await until(none, { timeoutMs, everyMs: 50, what: 'the last claims to be decided' })
    this.#stopped = true
    await watching
  }

  async #shown(): Promise<EntryRow[]> {
    const rows = await Promise.all(this.#entries.map((entry) => this.#store.show(entry)))
    return rows.flatMap((row) => row ?? [])
  }

  async #read(): Promise<void> {
    await Promise.all(this.#entries.map((entry) => this.#readOf(entry)))
  }

  async #readOf(entry: string): Promise<void> {
    const known = this.#rows.get(entry) as Map<number, Decision>
    for (const row of await this.#store.history(entry, 1_000)) {
      assert.deepEqual(known.get(row.nominal) ?? row, row, 'a decision changed')
      known.set(row.nominal, row)
    }
  }
}
