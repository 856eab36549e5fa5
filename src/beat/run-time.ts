import { UsageError } from '../lock/error.js'
import type { App } from '../task-base/app.js'
import { readEntryName } from '../task-base/app-options.js'
import { type Entry, readEntry } from '../task-base/entry.js'
import { allRows } from './changed-rows.js'
import { disableEntry, putOver } from './changeover.js'
import type { BeatEntry } from './entry.js'
import { type EntryInfo, entryInfo, iso } from './entry-info.js'
import { type EntrySpec, entryOf, specFrom, specOf, specText } from './entry-spec.js'
import type { Alteration, BeatRow, Decision, EntryPut, EntryRow, ScheduleStore } from './schedule-store.js'
import { slotId } from './slot-id.js'
import { readingRows, readLine, readTimetable, refuseUnknownTask, ruleReader } from './timetable.js'

export interface DecisionInfo extends Omit<Decision, 'nominal' | 'at' | 'entry' | 'term'> {
  /** Nominal time of the slot. */
  readonly nominal: string
  /** Id of the slot's message, for `result` and `revoke`; null for slots that were dropped. */
  readonly id: string | null
  readonly at: string
}

/**
 * The stored timetable of an app, to be read and changed while beats run; they follow within a second, and a claim under an
 * older rule is refused from the moment a change is answered. Verbs answer undefined where there is no such entry.
 *
 * @example await timetable(app).add('refresh-9', { task: 'feeds.refresh', schedule: '5m', args: [{ feedId: 9 }] })
 */
export function timetable(app: App): RunTimeTable {
  return new RunTimeTable(app)
}

export class RunTimeTable {
  readonly #app: App
  #read: ((row: EntryRow) => BeatEntry<Entry> | undefined) | undefined

  /** @internal */
  constructor(app: App) {
    this.#app = app
  }

  /** All entries, in the order of their last change. @throws StoreUnavailable */
  async *list(): AsyncGenerator<EntryInfo> {
    for await (const row of allRows(await this.#store())) {
      if (row.state !== 'removed') yield await this.#info(row)
    }
  }

  async show(name: string): Promise<EntryInfo | undefined> {
    return this.#infoOr(await (await this.#store()).show(name))
  }

  /** The newest first; about the last hundred are kept. */
  async history(name: string, { limit = 20 }: { readonly limit?: number } = {}): Promise<readonly DecisionInfo[]> {
    const rows = await (await this.#store()).history(name, limit)
    return rows.map(({ nominal, at, entry, term, ...rest }) => {
      const id = term === 0 ? null : slotId(entry, nominal)
      return { nominal: iso(nominal), ...rest, id, at: iso(at) }
    })
  }

  /** Adds a line; its first slot is the next by its rule. @throws UsageError for a bad one, and a name that is taken. */
  async add(name: string, entry: Entry): Promise<EntryInfo> {
    readEntryName(name)
    const put = this.#judged(name, specOf(readEntry(name, entry)))
    const store = await this.#store()
    const [outcome] = await store.put([put], 'add')
    if (outcome === 'exists') throw new UsageError(`an entry named '${name}' exists; change it, or remove it first.`)
    const info = await this.show(name)
    if (!info) throw new UsageError(`entry '${name}' was removed while it was added.`)
    return info
  }

  /**
   * Changes some fields, from now on. Slots that the old rule had due and nobody claimed are `missed`, but for the newest,
   * which still runs if the old rule's `catchUp` lets it. What others change meanwhile stays. A change of a line of the app's
   * configuration lasts until that line itself is changed. @throws UsageError; BeatlockError (CONTENDED) when others were
   * faster again and again
   */
  async change(name: string, fields: Partial<Entry>): Promise<EntryInfo | undefined> {
    const make = (row: EntryRow | null): EntryPut | undefined =>
      row ? this.#judged(name, changedSpec(row, fields)) : undefined
    await putOver(await this.#store(), name, { how: 'change', make, ruleOf: ruleReader(this.#app) })
    return this.show(name)
  }

  /** No slots come due until it is enabled; those that were due and nobody claimed are `missed`. @throws as `change` */
  async disable(name: string): Promise<EntryInfo | undefined> {
    return this.#infoOr(await disableEntry(await this.#store(), name, ruleReader(this.#app)))
  }

  /** Slots come due again, from now on. */
  enable(name: string): Promise<EntryInfo | undefined> {
    return this.#alter(name, { to: 'enabled' })
  }

  /** Slots come due and are recorded as `paused`. */
  pause(name: string, { why }: { readonly why?: string } = {}): Promise<EntryInfo | undefined> {
    return this.#alter(name, { to: 'paused', why: why ?? null })
  }

  /** `now` (default): what came due meanwhile is passed over. `pausedAt`: it is caught up with, by `catchUp`. */
  resume(name: string, { from = 'now' }: { readonly from?: 'now' | 'pausedAt' } = {}): Promise<EntryInfo | undefined> {
    return this.#alter(name, { to: 'resumed', from })
  }

  /** A beat runs it once within a second, whatever its state, beside its slots. Asked twice before that is asked once. */
  run(name: string): Promise<EntryInfo | undefined> {
    return this.#alter(name, { to: 'asked' })
  }

  /** @throws UsageError for a line of the app's configuration, which the next start of a beat would bring back. */
  async remove(name: string): Promise<boolean> {
    const store = await this.#store()
    const row = await store.show(name)
    if (!row) return false
    if (row.config !== null) {
      throw new UsageError(`entry '${name}' comes from the app's code: remove it there, or disable it.`)
    }
    return (await store.alter(name, { to: 'removed', config: null })) !== null
  }

  /** The beats of the app that were seen within the last minute. */
  async beats(): Promise<readonly BeatRow[]> {
    return (await this.#store()).beats()
  }

  async #alter(name: string, to: Alteration): Promise<EntryInfo | undefined> {
    return this.#infoOr(await (await this.#store()).alter(name, to))
  }

  /** A stored line that would work, as far as can be told here. @throws UsageError */
  #judged(name: string, spec: EntrySpec): EntryPut {
    const app = this.#app
    const text = specText(spec)
    const code = app.entries.get(name)
    if (!code) refuseCode(name, spec)
    const entry = entryOf(name, text, code)
    if (!entry) throw new UsageError(`entry '${name}' lives in code that is not here.`)
    if (app.tasks.size > 0) refuseUnknownTask(app, name, entry)
    readLine(app, name, entry)
    return { name, spec: text, config: null, maxRuns: entry.maxRuns ?? null }
  }

  async #store(): Promise<ScheduleStore> {
    return (await this.#app.connection()).servers.scheduleStore
  }

  async #infoOr(row: EntryRow | null): Promise<EntryInfo | undefined> {
    return row && row.state !== 'removed' ? this.#info(row) : undefined
  }

  async #info(row: EntryRow): Promise<EntryInfo> {
    const app = this.#app
    this.#read ??= readingRows(app, app.entries.size > 0 ? readTimetable(app) : [])
    const { now } = await app.connection()
    return entryInfo(app, row, { read: this.#read, now: Math.floor(now()) })
  }
}

/** @throws UsageError */
function changedSpec({ name, spec }: EntryRow, fields: Partial<Entry>): EntrySpec {
  const { code = [], ...kept } = without(specFrom(name, spec), fields)
  const changed = specOf(fields as Entry)
  refuseCode(name, changed)
  const left = code.filter((field) => !(field in fields))
  return { ...kept, ...changed, ...(left.length > 0 ? { code: left } : {}) } as EntrySpec
}

/** Arguments have one form: the new one ends the old. */
function without(spec: EntrySpec, fields: Partial<Entry>): EntrySpec {
  const { args, kwargs, ...rest } = spec
  return 'args' in fields || 'kwargs' in fields ? rest : spec
}

function refuseCode(name: string, { code = [] }: EntrySpec): void {
  const [field] = code
  if (field === undefined) return
  throw new UsageError(
    `beat entry '${name}': ${field} lives in code and cannot be stored; give plain values, or put the entry into beatSchedule.`,
  )
}
