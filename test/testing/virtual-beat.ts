import { openScheduleStore } from '../../adapters/memory/schedule-store.js'
import { memoryServer } from '../../adapters/memory/server.js'
import type { FireAnswer } from '../../src/beat/entry.js'
import type { BeatEvents } from '../../src/beat/event.js'
import { readInstant } from '../../src/beat/instant.js'
import { merging } from '../../src/beat/merge.js'
import { Scheduler } from '../../src/beat/scheduler.js'
import { readingRows, readTimetable } from '../../src/beat/timetable.js'
import type { App, Duration, Entry } from '../../src/index.js'
import { parseDuration } from '../../src/lock/duration.js'
import { createEmitter } from '../../src/lock/emit.js'

export interface VirtualBeatOptions {
  /** When the timetable is first seen: a Date, or ISO 8601 text with an offset or `Z`. */
  readonly startsAt: Date | string
  /** What the guard says to a slot; `published` where it says nothing. A throw is the decision `error`. */
  readonly fire?: (slot: VirtualSlot) => FireAnswer['decision'] | undefined
}

export interface VirtualSlot {
  readonly entry: string
  readonly task: string
  /** The time the slot is for, epoch ms. */
  readonly nominal: number
}

/** What was decided about a slot, or about several that were missed together. */
export interface VirtualDecision {
  readonly entry: string
  /** Epoch ms; of several the latest. */
  readonly nominal: number
  readonly decision: BeatEvents['beat:decided']['decision']
  /** How many slots; 1 but for `missed`. */
  readonly slots: number
  /** When it was decided, epoch ms of the virtual clock. */
  readonly at: number
}

/** An app's timetable under a clock that a test moves. */
export interface VirtualBeat {
  /** Epoch ms. */
  readonly now: number
  /** All decisions so far, in order. */
  readonly decisions: readonly VirtualDecision[]
  /** Lets time pass while the beat runs; answers what it decided meanwhile. */
  advance(by: Duration): Promise<readonly VirtualDecision[]>
  /** Lets time pass while no beat runs. What came due is caught up with by the next `advance`. */
  downtime(by: Duration): void
}

/**
 * Runs an app's timetable, as its code says it, on a store in memory and a clock that only the test moves: years of it
 * take seconds. Nothing is published and no task runs; to see what one does use `runTask`.
 *
 * @throws UsageError for what `beatlock beat` would refuse.
 * @example
 * const beat = await virtualBeat(app, { startsAt: '2026-01-01T00:00:00Z' })
 * const year = await beat.advance('365d')
 */
export async function virtualBeat(app: App, options: VirtualBeatOptions): Promise<VirtualBeat> {
  app.configure()
  const config = readTimetable(app)
  let now = readInstant(options.startsAt, 'startsAt')
  const clock = () => now
  const store = openScheduleStore({ server: memoryServer(clock), app: app.name })
  const events = createEmitter<BeatEvents>()
  const decisions = record(events, clock)
  const scheduler = new Scheduler<Entry>({
    store,
    merge: () =>
      merging(
        store,
        config.map(({ put }) => put),
      ),
    entryOf: readingRows(app, config),
    fire: async ({ name, payload }, { nominal }) => {
      const decision = options.fire?.({ entry: name, task: payload.task, nominal }) ?? 'published'
      return { decision, holder: null }
    },
    by: 'virtual',
    now: clock,
    monotonic: clock,
    emit: events.emit,
    // It is alone, and wakes for slots only.
    pollMs: Number.POSITIVE_INFINITY,
    maxIntervalMs: Number.POSITIVE_INFINITY,
  })
  await scheduler.start()
  const lengthOf = (by: Duration) => parseDuration(by, 'by')
  return {
    get now() {
      return now
    },
    decisions,
    async advance(by) {
      const known = decisions.length
      const end = now + lengthOf(by)
      for (let waitMs = await scheduler.tick(); now + waitMs <= end; waitMs = await scheduler.tick()) now += waitMs
      now = end
      return decisions.slice(known)
    },
    downtime(by) {
      now += lengthOf(by)
    },
  }
}

function record(events: ReturnType<typeof createEmitter<BeatEvents>>, clock: () => number): VirtualDecision[] {
  const decisions: VirtualDecision[] = []
  events.on('beat:decided', ({ entry, nominal, decision }) => {
    decisions.push({ entry, nominal, decision, slots: 1, at: clock() })
  })
  events.on('beat:missed', ({ entry, latest, slots }) => {
    decisions.push({ entry, nominal: latest, decision: 'missed', slots, at: clock() })
  })
  return decisions
}
