import { hostname } from 'node:os'
import { createEmitter, type Emitter } from '../lock/emit.js'
import { ulid } from '../lock/ulid.js'
import type { App } from '../task-base/app.js'
import type { Connection } from '../task-base/connection.js'
import type { Entry } from '../task-base/entry.js'
import { startSweeper } from '../task-base/sweeper.js'
import { Configuring } from './configuring.js'
import type { BeatEvents } from './event.js'
import type { BeatHealth } from './health.js'
import { Reach } from './reach.js'
import { Scheduler } from './scheduler.js'
import { BeatService } from './service.js'
import { nextSlot } from './slot.js'
import { StoreClock } from './store-clock.js'
import { type ConfigLine, fireThrough, readingRows, readTimetable, ruleReader, shownOverlap } from './timetable.js'

export interface BeatInfo {
  readonly broker: string
  readonly locks: string
  /** The store of the timetable: the locks' server, or a file. */
  readonly store: string
  /** What the configuration says; entries of the store beside it are read when the beat runs. */
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
  /** What it tells of itself now. */
  health(): BeatHealth
  /** Rejects if the timetable cannot go on: nothing a retry would mend. */
  readonly failed: Promise<never>
  /** Finishes the pass under way; a slot that is claimed and not published is left to the next beat. */
  stop(): Promise<void>
}

export interface BeatStart {
  readonly app: App
  readonly name: string
  /** The longest sleep between two passes. Default 5 s. */
  readonly maxIntervalMs?: number
  /** @internal */
  readonly claimMs?: number
}

/** Starts the timetable of an app. @throws UsageError for a bad entry, ServerUnavailable; nothing is left running then. */
export async function startBeat(start: BeatStart): Promise<RunningBeat> {
  const config = readTimetable(start.app)
  const connection = await start.app.connection()
  try {
    return run(start, config, connection)
  } catch (error) {
    await start.app.close()
    throw error
  }
}

function run(start: BeatStart, config: readonly ConfigLine[], connection: Connection): RunningBeat {
  const { app } = start
  const events = createEmitter<BeatEvents>()
  // Asks schedules of the user's, which may throw: before anything runs.
  const info = infoOf(app, connection, config)
  const scheduler = schedulerOf(start, { config, connection, events })
  const sweeper = startSweeper(connection.sweep)
  const stopping = new AbortController()
  const service = new BeatService({ scheduler, emit: events.emit })
  const done = service.start(stopping.signal)
  const reach = reachOf(connection)
  const failed = done.then(() => new Promise<never>(() => {}))
  failed.catch(() => undefined)
  return {
    info,
    events,
    failed,
    health() {
      const told = scheduler.health()
      const why = told.why ?? reach.why ?? service.why
      return { ...told, ok: why === null, why }
    },
    async stop() {
      stopping.abort()
      reach.stop()
      await done.catch(() => undefined)
      // What is not told now ends by itself after some seconds.
      await scheduler.stop().catch(() => undefined)
      await sweeper.close()
      await app.close()
    },
  }
}

/** No message has this id. */
const NOBODY = 'probe'

function reachOf({ servers, store }: Connection): Reach {
  const locks = { name: servers.locks, ask: () => store.now() }
  const broker = { name: servers.broker, ask: () => servers.engine.state('default', NOBODY) }
  return new Reach({ servers: [locks, broker] })
}

function schedulerOf(
  { app, name, maxIntervalMs, claimMs }: BeatStart,
  {
    config,
    connection,
    events,
  }: { config: readonly ConfigLine[]; connection: Connection; events: Emitter<BeatEvents> },
): Scheduler<Entry> {
  const store = connection.servers.scheduleStore
  const clock = new StoreClock()
  // Two beats under one name could publish on one claim.
  const by = `${name}/${ulid()}`
  const host = { name, host: hostname(), pid: process.pid, startedAt: Math.round(connection.now()) }
  const puts = config.map(({ put }) => put)
  const configuring = new Configuring({ store, config: puts, ruleOf: ruleReader(app), by, host, emit: events.emit })
  return new Scheduler<Entry>({
    store,
    merge: () => configuring.merging(),
    mergeDue: (inForce) => configuring.isDue(inForce),
    entryOf: readingRows(app, config),
    fire: fireThrough(app),
    endOf: async (id) => {
      const { outcome } = await connection.find(id, null)
      return outcome === null ? undefined : { failed: FAILED.includes(outcome.outcome), at: outcome.at }
    },
    longestLookMs: Math.max(SHORTEST_KEPT_MS, Math.min(LONGEST_LOOK_MS, app.settings.resultMs)) / 2,
    by,
    host: { ...host, edition: configuring.edition },
    // The timetable's store may be another server than the locks', with another clock.
    now: () => clock.now(),
    emit: events.emit,
    observe: (storeNow) => clock.observe(storeNow),
    ...(maxIntervalMs === undefined ? {} : { maxIntervalMs }),
    ...(claimMs === undefined ? {} : { claimMs }),
  })
}

const FAILED: readonly string[] = ['failed', 'lock_lost']
/** An outcome is kept for ten minutes at least, else as long as its result. */
const SHORTEST_KEPT_MS = 600_000
const LONGEST_LOOK_MS = 7_200_000

function infoOf(app: App, { servers, now }: Connection, config: readonly ConfigLine[]): BeatInfo {
  const { broker, locks, schedule } = servers
  return {
    broker,
    locks,
    store: schedule,
    entries: config.map(({ entry }) => ({
      name: entry.name,
      task: entry.payload.task,
      schedule: entry.schedule.text ?? 'a schedule of its own',
      zone: entry.zone,
      overlap: shownOverlap(app, entry.payload),
      next: nextSlot(entry, Math.floor(now())) ?? null,
    })),
    warnings: config.flatMap(({ entry }) => (entry.schedule.warnings ?? []).map((each) => `${entry.name}: ${each}`)),
  }
}
