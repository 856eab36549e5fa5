import { mkdirSync, realpathSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { EntryBook } from '../../src/beat/entry-book.js'
import type { ScheduleStore } from '../../src/beat/schedule-store.js'
import { StoreUnavailable } from '../../src/lock/error.js'
import { Journal } from './journal.js'
import { type Line, lineFor, refuseOther, replay, VERSION } from './line.js'
import { Held, holdFile } from './place.js'
import { viewOf } from './view.js'

export interface FileOptions {
  readonly app: string
  /** The file; it is made where it is missing. */
  readonly path: string
  /** Where another process holds it: `refuse` (default), or `view`: what is in it now, to be read only. */
  readonly whenHeld?: 'refuse' | 'view'
}

/** Openings of one file in this process share what is in it. */
const opened = new Map<string, { readonly file: Promise<TimetableFile>; users: number }>()

/**
 * A timetable in a file, for one process at a time: the pure rules in memory, each change on the disk before it is
 * answered. A kill -9 in any write loses at most what was not answered.
 *
 * @throws UsageError for a file of another app or process, or a damaged one
 */
export async function openScheduleStore({ app, path, whenHeld = 'refuse' }: FileOptions): Promise<ScheduleStore> {
  const place = placeOf(path)
  const shared = opened.get(place) ?? { file: TimetableFile.open(place, app), users: 0 }
  opened.set(place, shared)
  shared.users += 1
  const leave = async (): Promise<void> => {
    shared.users -= 1
    if (shared.users > 0) return
    opened.delete(place)
    await (await shared.file.catch(() => undefined))?.close()
  }
  try {
    return storeOn(await shared.file, leave)
  } catch (error) {
    await leave()
    if (error instanceof Held && whenHeld === 'view') return viewOf({ path: place, app, refusal: error.message })
    throw error
  }
}

function placeOf(path: string): string {
  const folder = dirname(resolve(path))
  mkdirSync(folder, { recursive: true })
  return join(realpathSync(folder), basename(path))
}

function storeOn(file: TimetableFile, leave: () => Promise<void>): ScheduleStore {
  let left: Promise<void> | undefined
  return {
    now: async () => file.now(),
    put: (entries, how, edition) => file.change((book) => book.put(entries, how, edition)),
    alter: (entry, alteration) => file.change((book) => book.alter(entry, alteration)),
    changes: (after, limit) => file.change((book) => book.changes(after, limit)),
    show: (entry) => file.change((book) => book.show(entry)),
    reserve: (request) => file.change((book) => book.reserve(request)),
    pass: (request) => file.change((book) => book.pass(request)),
    takeOver: (request) => file.change((book) => book.takeOver(request)),
    decide: (decision) => file.change((book) => book.decide(decision)),
    history: (entry, limit) => file.change((book) => book.history(entry, limit)),
    adopt: (request) => file.change((book) => book.adopt(request)),
    // Who lives and leads is of this process alone, and not written down.
    attend: (request) => file.change((book) => book.attend(request)),
    beats: () => file.change((book) => book.beats()),
    leave: (by) => file.change((book) => book.leave(by)),
    destroy: () => file.destroy(),
    close: () => {
      left ??= leave()
      return left
    },
  }
}

class TimetableFile {
  readonly #path: string
  readonly #app: string
  readonly #letGo: () => void
  #journal: Journal | undefined
  #book: EntryBook
  #latest = 0
  #written: Promise<void> = Promise.resolve()
  /** What the disk refused: the file is read again before anything else is done. */
  #broken = false
  #mending: Promise<void> | undefined

  private constructor(of: { path: string; app: string; letGo: () => void }) {
    this.#path = of.path
    this.#app = of.app
    this.#letGo = of.letGo
    this.#book = this.#emptyBook()
  }

  static async open(path: string, app: string): Promise<TimetableFile> {
    const file = new TimetableFile({ path, app, letGo: await holdFile(path) })
    try {
      await file.#read()
      return file
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Never goes back, and goes on where the file was left. */
  now(): number {
    this.#latest = Math.max(this.#latest, Date.now())
    return this.#latest
  }

  /** One verb: decided at once, answered when it is on the disk. */
  async change<Answer>(verb: (book: EntryBook) => Answer): Promise<Answer> {
    if (this.#broken) await this.#mend()
    const answer = verb(this.#book)
    try {
      await this.#written
      return answer
    } catch (cause) {
      this.#broken = true
      throw new StoreUnavailable(`file:${this.#path}`, cause instanceof Error ? cause.message : String(cause), cause)
    }
  }

  /** Once for all who wait: a second reading would take back what the first one's have changed since. */
  #mend(): Promise<void> {
    this.#mending ??= this.#read().finally(() => {
      this.#mending = undefined
    })
    return this.#mending
  }

  async destroy(): Promise<void> {
    this.#book = this.#emptyBook()
    await this.#journal?.renew()
  }

  async close(): Promise<void> {
    await this.#journal?.close()
    this.#letGo()
  }

  #emptyBook(): EntryBook {
    return new EntryBook(
      () => this.now(),
      (name, record, before) => this.#note(record ? lineFor(record, before) : { gone: name }),
    )
  }

  #note(line: Line): void {
    if (!this.#journal) return
    this.#written = this.#journal.append(line)
    this.#written.catch(() => undefined)
  }

  async #restore(lines: readonly Line[]): Promise<void> {
    refuseOther(lines, { path: this.#path, app: this.#app })
    if (lines.length === 0) await this.#journal?.append({ v: VERSION, app: this.#app })
    const records = replay(lines)
    this.#book.restore(records.values())
    for (const { row, decisions } of records.values()) {
      this.#latest = Math.max(this.#latest, row.changedAt, ...decisions.map(({ at }) => at))
    }
  }

  async #read(): Promise<void> {
    await this.#journal?.close().catch(() => undefined)
    const { journal, lines } = await Journal.open(this.#path, () => this.#lines())
    this.#journal = journal
    this.#book = this.#emptyBook()
    this.#written = Promise.resolve()
    await this.#restore(lines as Line[])
    this.#broken = false
  }

  #lines(): Line[] {
    const records = [...this.#book.records.values()].map((record) => lineFor(record, undefined))
    return [{ v: VERSION, app: this.#app }, ...records]
  }
}
