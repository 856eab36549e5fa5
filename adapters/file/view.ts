import { EntryBook } from '../../src/beat/entry-book.js'
import type { ScheduleStore } from '../../src/beat/schedule-store.js'
import { UsageError } from '../../src/lock/error.js'
import { readLines } from './journal.js'
import { type Line, refuseOther, replay } from './line.js'

/**
 * What a file says now that another process holds, to be read only: whatever would change it is refused with `refusal`.
 * @throws UsageError for a file of another app, or a damaged one
 */
export function viewOf({ path, app, refusal }: { path: string; app: string; refusal: string }): ScheduleStore {
  const lines = readLines(path).lines as Line[]
  refuseOther(lines, { path, app })
  const book = new EntryBook(Date.now)
  book.restore(replay(lines).values())
  const refuse = async (): Promise<never> => {
    throw new UsageError(refusal)
  }
  return {
    now: async () => Date.now(),
    changes: async (after, limit) => book.changes(after, limit),
    show: async (entry) => book.show(entry),
    history: async (entry, limit) => book.history(entry, limit),
    // Its beats are known to the process that holds it.
    beats: async () => [],
    put: refuse,
    alter: refuse,
    reserve: refuse,
    pass: refuse,
    takeOver: refuse,
    decide: refuse,
    adopt: refuse,
    attend: refuse,
    leave: refuse,
    destroy: refuse,
    close: async () => {},
  }
}
