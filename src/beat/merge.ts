import { allRows } from './changed-rows.js'
import type { EntryPut, EntryRow, ScheduleStore } from './schedule-store.js'

/** Compares what the app's configuration says with the rows of the store, then writes the difference. */
export interface Merging {
  /** To be asked of every row: whether it stays as it is. Another is written by `write`, and then is another row. */
  keeps(row: EntryRow): boolean
  /** @throws StoreUnavailable */
  write(): Promise<void>
}

/**
 * Brings what the app's configuration says into the store: new lines are added, changed ones changed, those that a
 * configuration of the app once brought and this one does not have are removed. What is unchanged keeps everything, also what
 * somebody changed at run time. Any number of beats may do it at once.
 */
export function merging(store: ScheduleStore, config: readonly EntryPut[]): Merging {
  const lines = new Map(config.map((put) => [put.name, put]))
  const wanted = new Map(lines)
  const gone = new Map<string, string>()
  return {
    // One that changes while all are read comes again: what it was last counts.
    keeps({ name, state, config: hash }) {
      wanted.delete(name)
      gone.delete(name)
      const put = lines.get(name)
      if (put && (put.config !== hash || state === 'removed')) wanted.set(name, put)
      if (!put && hash !== null && state !== 'removed') gone.set(name, hash)
      return !wanted.has(name) && !gone.has(name)
    },
    async write() {
      if (wanted.size > 0) await store.put([...wanted.values()], 'merge')
      // One that another beat has merged anew meanwhile has another hash, and stays.
      for (const [name, hash] of gone) await store.alter(name, { to: 'removed', config: hash })
    },
  }
}

/** The same for a store that nobody reads meanwhile. @throws StoreUnavailable */
export async function mergeConfig(store: ScheduleStore, config: readonly EntryPut[]): Promise<void> {
  const merge = merging(store, config)
  for await (const row of allRows(store)) merge.keeps(row)
  await merge.write()
}
