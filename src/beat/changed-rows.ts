import { setImmediate as turn } from 'node:timers/promises'
import type { EntryRow, ScheduleStore } from './schedule-store.js'

/** Entries that one request reads. */
const PAGE = 2_000

export interface ChangedPage {
  readonly rows: readonly EntryRow[]
  /** Changes up to here are known with this page. */
  readonly revision: number
}

/**
 * What has changed after a revision, in the order of the changes: as many rows as changed, whatever there are. While a page is
 * worked on, the store already reads the next. @throws StoreUnavailable
 */
export async function* changedPages(
  store: Pick<ScheduleStore, 'changes'>,
  after: number,
): AsyncGenerator<ChangedPage, void> {
  let asked = store.changes(after, PAGE)
  try {
    for (;;) {
      const { rows, revision } = await asked
      const last = rows.at(-1)
      if (!last || last.revision >= revision) return yield { rows, revision: last?.revision ?? revision }
      asked = store.changes(last.revision, PAGE)
      // The request leaves at the end of this turn: else the page's work would come before it.
      await turn()
      yield { rows, revision: last.revision }
    }
  } finally {
    // Whoever stopped early has no use for the page that is on its way.
    await asked.catch(() => undefined)
  }
}

/** All entries, in the order of their last change. */
export async function* allRows(store: Pick<ScheduleStore, 'changes'>): AsyncGenerator<EntryRow, void> {
  for await (const { rows } of changedPages(store, 0)) yield* rows
}
