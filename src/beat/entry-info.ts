import type { App } from '../task-base/app.js'
import { type EntrySpec, scheduleText, shownSpec } from './entry-spec.js'
import type { DecisionName, EntryRow, EntryState } from './schedule-store.js'
import { nextSlot } from './slot.js'
import { type readingRows, shownOverlap } from './timetable.js'
import { asError } from './trouble.js'
import { localTime } from './zone.js'

/** An entry as people are shown it. Instants are ISO 8601 UTC. */
export interface EntryInfo {
  readonly name: string
  readonly task: string
  readonly schedule: string
  readonly timezone: string
  readonly overlap: string
  readonly state: Exclude<EntryState, 'removed'>
  /** The next slot by the rule; null for none, or where the entry is not active, or cannot be read here. */
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
  /** Slots by decision since the entry was added; a run that was asked for is one. */
  readonly counts: EntryRow['counts']
  /** `config`: from the app's code. `store`: added at run time. */
  readonly from: 'config' | 'store'
  /** Everything else that it says, but for arguments that are hidden. */
  readonly entry: EntrySpec
  /** Its task hides its arguments (`redact`). */
  readonly argsHidden: boolean
  /** A run was asked for, and no beat has taken it yet. */
  readonly askedAt: string | null
  /** Why this process cannot tell its slots: its code is elsewhere, or another version wrote it. Null: it can. */
  readonly unreadable: string | null
  /** What its author probably did not mean. */
  readonly warnings: readonly string[]
  readonly createdAt: string
  readonly changedAt: string
}

/** @throws StoreUnavailable */
export async function entryInfo(
  app: App,
  row: EntryRow,
  { read, now }: { readonly read: ReturnType<typeof readingRows>; readonly now: number },
): Promise<EntryInfo> {
  const spec = shownSpec(row.spec)
  const zone = spec.timezone ?? app.settings.timezone
  const argsHidden = (await app.targetOf(spec.task)).guard?.redact === true
  const { next, ...others } = outlook(row, read, now)
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
    ...others,
    createdAt: iso(row.createdAt),
    changedAt: iso(row.changedAt),
  }
}

/** The next slot and what is odd about an entry. One that cannot be read here hides no other. */
function outlook(
  row: EntryRow,
  read: ReturnType<typeof readingRows>,
  now: number,
): { readonly next: number | undefined } & Pick<EntryInfo, 'unreadable' | 'warnings'> {
  try {
    const entry = read(row)
    if (!entry) return { next: undefined, unreadable: 'its code is elsewhere', warnings: [] }
    const next = row.state === 'active' ? nextSlot(entry, Math.max(row.nominal, now)) : undefined
    return { next, unreadable: null, warnings: entry.schedule.warnings ?? [] }
  } catch (error) {
    return { next: undefined, unreadable: asError(error).message, warnings: [] }
  }
}

function withoutArguments({ args: _, kwargs: __, ...rest }: EntrySpec): EntrySpec {
  return rest
}

/** ISO 8601 UTC. */
export function iso(at: number): string {
  return new Date(at).toISOString()
}
