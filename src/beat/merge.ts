import type { EntryPut, ScheduleStore } from './schedule-store.js'

const PAGE = 2_000

/**
 * Brings what the app's configuration says into the store: new lines are added, changed ones changed, those that a
 * configuration of the app once brought and this one does not have are removed. What is unchanged keeps everything, also what
 * somebody changed at run time. Any number of beats may do it at once.
 */
export async function mergeConfig(store: ScheduleStore, config: readonly EntryPut[]): Promise<void> {
  const wanted = new Map(config.map((put) => [put.name, put]))
  const gone: { readonly name: string; readonly config: string }[] = []
  for await (const row of allRows(store)) {
    if (row.config === null || row.state === 'removed') continue
    const put = wanted.get(row.name)
    if (!put) gone.push({ name: row.name, config: row.config })
    else if (put.config === row.config) wanted.delete(row.name)
  }
  if (wanted.size > 0) await store.put([...wanted.values()], 'merge')
  // One that another beat has merged anew meanwhile has another hash, and stays.
  for (const { name, config: hash } of gone) await store.alter(name, { to: 'removed', config: hash })
}

/** All entries, in the order of their last change. */
export async function* allRows(store: Pick<ScheduleStore, 'changes'>) {
  for (let after = 0; ; ) {
    const { rows } = await store.changes(after, PAGE)
    yield* rows
    const last = rows.at(-1)
    if (!last) return
    after = last.revision
  }
}
