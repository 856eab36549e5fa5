import { allRows } from './changed-rows.js'
import { overOf, putOver, type RuleOf } from './changeover.js'
import type { EntryPut, EntryRow, ScheduleStore } from './schedule-store.js'

/** Compares what the app's configuration says with the rows of the store, then writes the difference. */
export interface Merging {
  /** To be asked of every row: whether it stays as it is. Another is written by `write`, and then is another row. */
  keeps(row: EntryRow): boolean
  /**
   * Answers false where another edition came into force meanwhile: then nothing more is written, and rows are as they were.
   * @throws StoreUnavailable
   */
  write(): Promise<boolean>
}

export interface MergingOptions {
  /** Default: nobody can tell. */
  readonly ruleOf?: RuleOf
  /** The edition that is merged; default: any may be. */
  readonly edition?: string
}

/**
 * Brings what the app's configuration says into the store: new lines are added, changed ones changed, those that a
 * configuration of the app once brought and this one does not have are removed. What is unchanged keeps everything, also what
 * somebody changed at run time. Any number of beats may do it at once.
 */
export function merging(
  store: ScheduleStore,
  config: readonly EntryPut[],
  { ruleOf = () => undefined, edition }: MergingOptions = {},
): Merging {
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
      if (changed.length > 0 && !(await putAll(store, changed, { rows: wanted, ruleOf, edition }))) return false
      const only = edition === undefined ? {} : { edition }
      // One that another beat has merged anew meanwhile has another hash, and stays.
      for (const [name, config] of gone) await store.alter(name, { to: 'removed', config, ...only })
      return true
    },
  }
}

/** All together, and those again that changed since they were read. */
async function putAll(
  store: ScheduleStore,
  puts: readonly EntryPut[],
  {
    rows,
    ruleOf,
    edition,
  }: { rows: ReadonlyMap<string, EntryRow | null>; ruleOf: RuleOf; edition: string | undefined },
): Promise<boolean> {
  const at = await store.now()
  const overs = puts.map((put): EntryPut => {
    const row = rows.get(put.name)
    return row ? { ...put, over: overOf(row, put, { at, ruleOf }) } : put
  })
  const outcomes = [...(await store.put(overs, 'merge', edition))]
  const moved = puts.filter((_, index) => outcomes[index] === 'moved')
  for (const put of moved)
    outcomes.push(await putOver(store, put.name, { how: 'merge', make: () => put, ruleOf, edition }))
  return !outcomes.includes('superseded')
}

/** The same for a store that nobody reads meanwhile. @throws StoreUnavailable */
export async function mergeConfig(
  store: ScheduleStore,
  config: readonly EntryPut[],
  options?: MergingOptions,
): Promise<void> {
  const merge = merging(store, config, options)
  for await (const row of allRows(store)) merge.keeps(row)
  await merge.write()
}
