import { hasCode, UsageError } from '../lock/error.js'
import type { App } from '../task-base/app.js'
import { readEntryName } from '../task-base/app-options.js'
import { type Entry, readEntry } from '../task-base/entry.js'
import { allRows } from './changed-rows.js'
import { putOver } from './changeover.js'
import type { BeatEntry } from './entry.js'
import { type EntrySpec, entryOf, scheduleText, specOf, specText } from './entry-spec.js'
import type {
  Alteration,
  BeatRow,
  Decision,
  DecisionName,
  EntryPut,
  EntryRow,
  EntryState,
  ScheduleStore,
} from './schedule-store.js'
import { nextSlot } from './slot.js'
import { slotId } from './slot-id.js'
import { readingRows, readLine, readTimetable, refuseUnknownTask, ruleReader, shownOverlap } from './timetable.js'
import { localTime } from './zone.js'

/** An entry as people are shown it. Instants are ISO 8601 UTC. */
export interface EntryInfo {
  readonly name: string
  readonly task: string
  readonly schedule: string
  readonly timezone: string
  readonly overlap: string
  readonly state: Exclude<EntryState, 'removed'>
  /** The next slot by the rule; null for none, or where the entry is not active, or its rule lives in code elsewhere. */
  readonly next: string | null
  /** The same by the clock of its zone, with the offset. */
  readonly nextLocal: string | null
  /** The decision written last. */
  readonly last: { readonly nominal: string; readonly decision: DecisionName } | null
  readonly pausedAt: string | null
  readonly pausedWhy: string | null
  /** Accepted slots; retries count nothing. */
  readonly runs: number
  readonly maxRuns: number | null
  /** Slots by decision since the entry was added. */
  readonly counts: EntryRow['counts']
  /** `config`: from the app's code. `store`: added at run time. */
  readonly from: 'config' | 'store'
  /** Everything else that it says, but for arguments that are hidden. */
  readonly entry: EntrySpec
  /** Its task hides its arguments (`redact`). */
  readonly argsHidden: boolean
  /** A run was asked for, and no beat has taken it yet. */
  readonly askedAt: string | null
  /** What its author probably did not mean. */
  readonly warnings: readonly string[]
  readonly createdAt: string
  readonly changedAt: string
}

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

  /** No slots come due until it is enabled. */
  disable(name: string): Promise<EntryInfo | undefined> {
    return this.#alter(name, { to: 'disabled' })
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
    const spec = JSON.parse(row.spec) as EntrySpec
    const zone = spec.timezone ?? app.settings.timezone
    const argsHidden = (await app.targetOf(spec.task)).guard?.redact === true
    const { next, warnings } = outlook(row, this.#read, Math.floor(now()))
    return {
      name: row.name,
      task: spec.task,
      schedule: scheduleText(spec),
      timezone: zone,
      overlap: shownOverlap(app, spec),
      state: row.state as EntryInfo['state'],
      next: next === undefined ? null : iso(next),
      nextLocal: next === undefined ? null : localTime(next, zone),
      last: row.last && { ...row.last, nominal: iso(row.last.nominal) },
      pausedAt: row.pausedAt === null ? null : iso(row.pausedAt),
      pausedWhy: row.pausedWhy,
      runs: row.runs,
      maxRuns: row.maxRuns,
      counts: row.counts,
      from: row.config === null ? 'store' : 'config',
      entry: argsHidden ? withoutArguments(spec) : spec,
      argsHidden,
      askedAt: row.askedAt === null ? null : iso(row.askedAt),
      warnings,
      createdAt: iso(row.createdAt),
      changedAt: iso(row.changedAt),
    }
  }
}

/** The next slot and what is odd about an entry. One that only a newer version of the app can read hides no other. */
function outlook(
  row: EntryRow,
  read: ReturnType<typeof readingRows>,
  now: number,
): { readonly next: number | undefined; readonly warnings: readonly string[] } {
  try {
    const entry = read(row)
    const next = entry && row.state === 'active' ? nextSlot(entry, Math.max(row.nominal, now)) : undefined
    return { next, warnings: entry?.schedule.warnings ?? [] }
  } catch (error) {
    if (hasCode(error, 'USAGE')) return { next: undefined, warnings: [(error as Error).message] }
    throw error
  }
}

function withoutArguments({ args: _, kwargs: __, ...rest }: EntrySpec): EntrySpec {
  return rest
}

/** @throws UsageError */
function changedSpec({ name, spec }: EntryRow, fields: Partial<Entry>): EntrySpec {
  const { code = [], ...kept } = without(JSON.parse(spec) as EntrySpec, fields)
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

function iso(at: number): string {
  return new Date(at).toISOString()
}
