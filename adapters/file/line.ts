import type { EntryRecord } from '../../src/beat/entry-record.js'
import { DECISIONS_KEPT, type Decision } from '../../src/beat/schedule-store.js'
import { UsageError } from '../../src/lock/error.js'
import { packageVersion } from '../../src/lock/version.js'

/** Of what a file's lines mean, in its first one. */
export const VERSION = 1

/** One line of the journal: whose file it is, an entry as it is now with the decisions that are new, or one that is forgotten. */
export type Line =
  | { readonly v: number; readonly app: string }
  | { readonly entry: Omit<EntryRecord, 'decisions'>; readonly add: readonly Decision[]; readonly anew: boolean }
  | { readonly gone: string }

/** @throws UsageError for the file of another app, of another kind, or of a newer version */
export function refuseOther([first]: readonly Line[], { path, app }: { path: string; app: string }): void {
  if (first && 'app' in first && first.v > VERSION) {
    throw new UsageError(
      `file:${path} was written by a newer beatlock, in version ${first.v}; this is beatlock ${packageVersion()}, which ` +
        `knows version ${VERSION}: upgrade beatlock here, or name another file. Nothing was changed.`,
    )
  }
  if (!first || ('app' in first && first.app === app)) return
  const owner = 'app' in first ? `app '${first.app}'` : 'something else'
  throw new UsageError(`file:${path} belongs to ${owner}, not to app '${app}': name another file.`)
}

export function lineFor(record: EntryRecord, before: EntryRecord | undefined): Line {
  const { decisions, ...entry } = record
  const anew = before === undefined || (before.decisions.length > 0 && decisions.length === 0)
  const known = new Set(anew ? [] : before?.decisions)
  return { entry, add: decisions.filter((each) => !known.has(each)), anew }
}

export function replay(lines: readonly Line[]): Map<string, EntryRecord> {
  const records = new Map<string, EntryRecord>()
  for (const line of lines) {
    if ('gone' in line) records.delete(line.gone)
    if (!('entry' in line)) continue
    const { entry, add, anew } = line
    const { name } = entry.row
    const kept = anew ? [] : (records.get(name)?.decisions ?? [])
    const decisions = [...kept, ...add].sort((a, b) => b.nominal - a.nominal)
    const most = decisions.length > DECISIONS_KEPT * 1.25 ? DECISIONS_KEPT : decisions.length
    records.set(name, { ...entry, decisions: decisions.slice(0, most) })
  }
  return records
}
