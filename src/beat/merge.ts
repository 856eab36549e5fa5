import { allRows } from './changed-rows.js'
import { overOf, putOver, type RuleOf } from './changeover.js'
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
export function merging(store: ScheduleStore, config: readonly EntryPut[], ruleOf: RuleOf = () => undefined): Merging {
  const lines = new Map(config.map((put) => [put.name, put]))
  /** With the row that it takes the place of. */
  const wanted = new Map<string, EntryRow | null>(config.map(({ name }) => [name, null]))
  const gone = new Map<string, string>()
  return {
    // One that changes while all are read comes again: what it was last counts.
    keeps(row) {
      const { name, state, config: hash } = row
      wanted.delete(name)
      gone.delete(name)
      const put = lines.get(name)
      if (put && (put.config !== hash || state === 'removed')) wanted.set(name, state === 'removed' ? null : row)
      if (!put && hash !== null && state !== 'removed') gone.set(name, hash)
      return !wanted.has(name) && !gone.has(name)
    },
    async write() {
      const changed = config.filter(({ name }) => wanted.has(name))
      if (changed.length > 0) await putAll(store, changed, { rows: wanted, ruleOf })
      // One that another beat has merged anew meanwhile has another hash, and stays.
      for (const [name, hash] of gone) await store.alter(name, { to: 'removed', config: hash })
    },
  }
}

/** All together, and those again that changed since they were read. */
async function putAll(
  store: ScheduleStore,
  puts: readonly EntryPut[],
  { rows, ruleOf }: { rows: ReadonlyMap<string, EntryRow | null>; ruleOf: RuleOf },
): Promise<void> {
  const at = await store.now()
  const overs = puts.map((put): EntryPut => {
    const row = rows.get(put.name)
    return row ? { ...put, over: overOf(row, put, { at, ruleOf }) } : put
  })
  const outcomes = await store.put(overs, 'merge')
  const moved = puts.filter((_, index) => outcomes[index] === 'moved')
  for (const put of moved) await putOver(store, put.name, { how: 'merge', make: () => put, ruleOf })
}

/** The same for a store that nobody reads meanwhile. @throws StoreUnavailable */
export async function mergeConfig(store: ScheduleStore, config: readonly EntryPut[], ruleOf?: RuleOf): Promise<void> {
  const merge = merging(store, config, ruleOf)
  for await (const row of allRows(store)) merge.keeps(row)
  await merge.write()
}
