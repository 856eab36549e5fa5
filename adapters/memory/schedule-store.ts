import type { EntryBook } from '../../src/beat/entry-book.js'
import type { ScheduleStore } from '../../src/beat/schedule-store.js'
import { bookOf, type MemoryServer } from './server.js'

/** The schedule store of one process: each verb runs the pure rules without an await between looking and taking. */
export function openScheduleStore({ server, app }: { server: MemoryServer; app: string }): ScheduleStore {
  const book = (): EntryBook => bookOf(server, app)
  return {
    now: async () => server.now(),
    put: async (entries, how, edition) => book().put(entries, how, edition),
    alter: async (entry, alteration) => book().alter(entry, alteration),
    changes: async (after, limit) => book().changes(after, limit),
    show: async (entry) => book().show(entry),
    reserve: async (request) => book().reserve(request),
    pass: async (request) => book().pass(request),
    takeOver: async (request) => book().takeOver(request),
    decide: async (decision) => book().decide(decision),
    history: async (entry, limit) => book().history(entry, limit),
    adopt: async (request) => book().adopt(request),
    attend: async (request) => book().attend(request),
    beats: async () => book().beats(),
    leave: async (by) => book().leave(by),
    destroy: async () => void server.schedules.delete(app),
    close: async () => {},
  }
}
