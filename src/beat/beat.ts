import { createEmitter, type Emitter } from '../lock/emit.js'
import { ulid } from '../lock/ulid.js'
import type { App } from '../task-base/app.js'
import type { Connection } from '../task-base/connection.js'
import type { Entry } from '../task-base/entry.js'
import { startSweeper } from '../task-base/sweeper.js'
import type { BeatEntry } from './entry.js'
import type { BeatEvents } from './event.js'
import { Scheduler } from './scheduler.js'
import { BeatService } from './service.js'
import { fireThrough, readTimetable, shownOverlap } from './timetable.js'

export interface BeatInfo {
  readonly broker: string
  readonly locks: string
  readonly entries: readonly {
    readonly name: string
    readonly task: string
    readonly schedule: string
    readonly zone: string
    readonly overlap: string
    /** The next slot by the rule alone, epoch ms; null for never. */
    readonly next: number | null
  }[]
  readonly warnings: readonly string[]
}

export interface RunningBeat {
  readonly info: BeatInfo
  readonly events: Emitter<BeatEvents>
  /** Rejects if the timetable cannot go on: nothing a retry would mend. */
  readonly failed: Promise<never>
  /** Finishes the pass under way; a slot that is claimed and not published is left to the next beat. */
  stop(): Promise<void>
}

/** Starts the timetable of an app. @throws UsageError for a bad entry, ServerUnavailable; nothing is left running then. */
export async function startBeat({ app, name }: { readonly app: App; readonly name: string }): Promise<RunningBeat> {
  const entries = readTimetable(app)
  const connection = await app.connection()
  try {
    return run(app, name, entries, connection)
  } catch (error) {
    await app.close()
    throw error
  }
}

function run(app: App, name: string, entries: readonly BeatEntry<Entry>[], connection: Connection): RunningBeat {
  const events = createEmitter<BeatEvents>()
  const scheduler = new Scheduler<Entry>({
    store: connection.servers.scheduleStore,
    entries,
    fire: fireThrough(app),
    // Two beats under one name could publish on one claim.
    by: `${name}/${ulid()}`,
    now: connection.now,
    emit: events.emit,
    observe: connection.observe,
  })
  // Asks schedules of the user's, which may throw: before anything runs.
  const info = infoOf(app, connection, entries)
  const sweeper = startSweeper(connection.sweep)
  const stopping = new AbortController()
  const done = new BeatService({ scheduler, emit: events.emit }).start(stopping.signal)
  const failed = done.then(() => new Promise<never>(() => {}))
  failed.catch(() => undefined)
  return {
    info,
    events,
    failed,
    async stop() {
      stopping.abort()
      await done.catch(() => undefined)
      await sweeper.close()
      await app.close()
    },
  }
}

function infoOf(app: App, { servers, now }: Connection, entries: readonly BeatEntry<Entry>[]): BeatInfo {
  const { broker, locks } = servers
  return {
    broker,
    locks,
    entries: entries.map(({ name, schedule, zone, payload }) => ({
      name,
      task: payload.task,
      schedule: schedule.text ?? 'a schedule of its own',
      zone,
      overlap: shownOverlap(app, payload),
      next: schedule.next(now(), zone) ?? null,
    })),
    warnings: entries.flatMap(({ name, schedule }) => (schedule.warnings ?? []).map((each) => `${name}: ${each}`)),
  }
}
