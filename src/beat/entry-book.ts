import { ulid } from '../lock/ulid.js'
import { adoptEdition, BEAT_ALIVE_MS } from './edition.js'
import {
  alterEntry,
  decideSlot,
  type EntryRecord,
  passSlots,
  putEntry,
  reserveSlot,
  type Step,
  takeOverClaim,
} from './entry-record.js'
import {
  type AdoptRequest,
  type Alteration,
  type Attendance,
  type AttendRequest,
  BEAT_KEPT_MS,
  type BeatReport,
  type BeatRow,
  type Decision,
  type EntryPut,
  type EntryRow,
  type PassRequest,
  type PutHow,
  type PutOutcome,
  REMOVED_KEPT_MS,
  type ReserveAnswer,
  type ReserveRequest,
} from './schedule-store.js'

/** Told of each record that is written, and of each that is forgotten (undefined). */
export type Wrote = (name: string, record: EntryRecord | undefined, before: EntryRecord | undefined) => void

/**
 * One app's timetable in this process's memory, run by the pure rules: what the memory and the file store keep. Nothing
 * here awaits, so each verb is one step.
 */
export class EntryBook {
  readonly #records = new Map<string, EntryRecord>()
  readonly #now: () => number
  readonly #wrote: Wrote
  /** Which entry each revision changed, in order; those of an entry but the last are stale. */
  #log: { readonly revision: number; readonly name: string }[] = []
  #revision = 0
  #removed = new Set<string>()
  readonly #beats = new Map<string, { report: BeatReport; seenAt: number }>()
  /** Those that were in force, the present one last. A file need not keep them: its beats all live in one process. */
  #editions: readonly string[] = []
  readonly #origin = ulid()
  #lead: { readonly by: string; readonly until: number } | undefined

  constructor(now: () => number, wrote: Wrote = () => {}) {
    this.#now = now
    this.#wrote = wrote
  }

  get records(): ReadonlyMap<string, EntryRecord> {
    return this.#records
  }

  /** Takes in what was stored before; in any order. */
  restore(records: Iterable<EntryRecord>): void {
    for (const record of records) this.#records.set(record.row.name, record)
    const rows = [...this.#records.values()].map(({ row }) => row).sort((a, b) => a.revision - b.revision)
    this.#log = rows.map(({ revision, name }) => ({ revision, name }))
    this.#revision = this.#log.at(-1)?.revision ?? 0
    this.#removed = new Set(rows.filter(({ state }) => state === 'removed').map(({ name }) => name))
  }

  put(entries: readonly EntryPut[], how: PutHow, edition?: string): PutOutcome[] {
    if (this.#isSuperseded(edition)) return entries.map(() => 'superseded')
    return entries.map((put) => {
      const before = this.#records.get(put.name)
      const { record, outcome } = putEntry(before, { put, how }, this.#moment())
      this.#write(record, before)
      return outcome
    })
  }

  alter(name: string, to: Alteration): EntryRow | null {
    if (to.to === 'removed' && this.#isSuperseded(to.edition)) return null
    const before = this.#records.get(name)
    const record = before && alterEntry(before, to, this.#moment())
    this.#write(record, before)
    this.#forgetRemoved()
    return record?.row ?? null
  }

  changes(after: number, limit: number): { revision: number; rows: EntryRow[] } {
    const rows: EntryRow[] = []
    for (let at = this.#firstAfter(after); at < this.#log.length && rows.length < limit; at += 1) {
      const { revision, name } = this.#log[at] as { revision: number; name: string }
      const row = this.#records.get(name)?.row
      if (row?.revision === revision) rows.push(row)
    }
    return { revision: this.#revision, rows }
  }

  show(name: string): EntryRow | null {
    const row = this.#records.get(name)?.row
    return row && row.state !== 'removed' ? row : null
  }

  reserve(request: ReserveRequest): ReserveAnswer {
    return this.#step(request.entry, (record, now) => reserveSlot(record, request, now)) ?? this.#gone()
  }

  pass(request: PassRequest): Exclude<ReserveAnswer, { outcome: 'reserved' }> {
    return this.#step(request.entry, (record, now) => passSlots(record, request, now)) ?? this.#gone()
  }

  takeOver(request: { entry: string; term: number; by: string; claimMs: number }): ReserveAnswer {
    return this.#step(request.entry, (record, now) => takeOverClaim(record, request, now)) ?? this.#gone()
  }

  decide(decision: Omit<Decision, 'at'>): Decision {
    const unwritten = { ...decision, at: this.#now() }
    return this.#step(decision.entry, (record, now) => decideSlot(record, decision, now)) ?? unwritten
  }

  history(name: string, limit: number): readonly Decision[] {
    return (this.#records.get(name)?.decisions ?? []).slice(0, Math.max(0, limit))
  }

  adopt({ by, report, superseded }: AdoptRequest): string {
    const now = this.#now()
    const edition = report.edition ?? ''
    this.#beats.set(by, { report, seenAt: now })
    const present = this.#editions.at(-1)
    const defended = [...this.#beats.values()].some(
      (beat) => beat.report.edition === present && now - beat.seenAt <= BEAT_ALIVE_MS,
    )
    this.#editions = adoptEdition(this.#editions, { edition, superseded, defended })
    return this.#editions.at(-1) ?? edition
  }

  attend({ by, report, leadMs }: AttendRequest): Attendance {
    const now = this.#now()
    if (report) this.#beats.set(by, { report, seenAt: now })
    for (const [name, { seenAt }] of this.#beats) if (now - seenAt > BEAT_KEPT_MS) this.#beats.delete(name)
    const mine = this.#lead?.by === by
    if (leadMs === null && mine) this.#lead = undefined
    if (leadMs !== null && (mine || !this.#lead || this.#lead.until <= now)) this.#lead = { by, until: now + leadMs }
    const edition = this.#editions.at(-1) ?? null
    return { now, revision: this.#revision, edition, origin: this.#origin, leader: this.#lead?.by ?? null }
  }

  beats(): BeatRow[] {
    const now = this.#now()
    return [...this.#beats]
      .filter(([, { seenAt }]) => now - seenAt <= BEAT_KEPT_MS)
      .map(([by, { report, seenAt }]) => {
        const leads = this.#lead?.by === by && this.#lead.until > now
        return { ...report, by, seenAt, leader: leads }
      })
  }

  leave(by: string): void {
    this.#beats.delete(by)
    if (this.#lead?.by === by) this.#lead = undefined
  }

  #isSuperseded(edition: string | undefined): boolean {
    return edition !== undefined && this.#editions.at(-1) !== edition
  }

  #gone(): { readonly outcome: 'changed'; readonly now: number } {
    return { outcome: 'changed', now: this.#now() }
  }

  #moment() {
    return { now: this.#now(), revision: this.#revision + 1 }
  }

  #step<Answer>(name: string, verb: (record: EntryRecord, now: number) => Step<Answer>): Answer | undefined {
    const before = this.#records.get(name)
    if (!before) return undefined
    const { record, answer } = verb(before, this.#now())
    this.#write(record, before)
    return answer
  }

  #write(record: EntryRecord | undefined, before: EntryRecord | undefined): void {
    if (!record || record === before) return
    const { name, revision, state } = record.row
    this.#records.set(name, record)
    if (state === 'removed') this.#removed.add(name)
    else this.#removed.delete(name)
    if (revision > this.#revision) {
      this.#revision = revision
      this.#log.push({ revision, name })
      if (this.#log.length > 2 * this.#records.size + 1_000) this.#dropStale()
    }
    this.#wrote(name, record, before)
  }

  #dropStale(): void {
    this.#log = this.#log.filter(({ revision, name }) => this.#records.get(name)?.row.revision === revision)
  }

  #forgetRemoved(): void {
    const end = this.#now() - REMOVED_KEPT_MS
    for (const name of this.#removed) {
      const record = this.#records.get(name)
      // In the order of their removal: the first that is young ends the search.
      if (record && record.row.changedAt > end) return
      this.#removed.delete(name)
      this.#records.delete(name)
      this.#wrote(name, undefined, record)
    }
  }

  /** The place of the first revision above `after`: halves the log. */
  #firstAfter(after: number): number {
    let low = 0
    let high = this.#log.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#log[middle]?.revision ?? 0) > after) high = middle
      else low = middle + 1
    }
    return low
  }
}
