import { openScheduleStore } from '../../adapters/memory/schedule-store.js'
import { memoryServer } from '../../adapters/memory/server.js'
import type { BeatEntry, Fire, FireAnswer, Slot } from '../../src/beat/entry.js'
import type { BeatEvents, EmitBeat } from '../../src/beat/event.js'
import type { EntryPut, EntryRow, ScheduleStore } from '../../src/beat/schedule-store.js'
import { Scheduler, type SchedulerOptions } from '../../src/beat/scheduler.js'
import { createEmitter } from '../../src/lock/emit.js'
import type { Schedule } from '../../src/task-base/schedule.js'

/** Midnight, 1 January 2026: a slot of every grid that is used here. */
export const START = Date.UTC(2026, 0, 1)

export interface Published extends Slot {
  readonly by: string
  readonly entry: string
}

/** One store, one clock moved by hand, and the beats over them. */
export class BeatBench {
  now: number
  readonly published: Published[] = []
  readonly events: { [Name in keyof BeatEvents]: BeatEvents[Name][] } = {
    'beat:decided': [],
    'beat:missed': [],
    'beat:trouble': [],
    'beat:recovered': [],
    'beat:edition': [],
    'beat:wentBack': [],
    'beat:lead': [],
  }
  readonly store: ScheduleStore
  readonly #emitter = createEmitter<BeatEvents>()

  constructor(start: number = START + 1) {
    this.now = start
    this.store = openScheduleStore({ server: memoryServer(() => this.now), app: 'shop' })
    for (const name of Object.keys(this.events) as (keyof BeatEvents)[]) {
      this.#emitter.on(name, (event) => void (this.events[name] as unknown[]).push(event))
    }
  }

  /**
   * A beat that has started. `fire` notes what it publishes; `answer` is what the guard says. No beat leads unless it is
   * given the store itself: exactness must not need a leader.
   */
  async beat(
    entries: readonly BeatEntry<null>[],
    options: Partial<SchedulerOptions<null>> & { answer?: FireAnswer } = {},
  ): Promise<Scheduler<null>> {
    const { answer = { decision: 'published', holder: null }, by = 'b1', ...others } = options
    const fire: Fire<null> = async (entry, slot) => {
      this.published.push({ by, entry: entry.name, ...slot })
      return answer
    }
    await this.store.put(
      entries.map(({ name }) => putOf(name)),
      'add',
    )
    const clock = () => this.now
    const known = new Map(entries.map((entry) => [entry.name, entry]))
    const entryOf = ({ name }: EntryRow) => known.get(name)
    const basics = {
      store: this.leaderless,
      entryOf,
      fire,
      by,
      now: clock,
      monotonic: clock,
      emit: this.emit,
      pollMs: 60_000,
    }
    const scheduler = new Scheduler({ ...basics, ...others })
    await scheduler.start()
    return scheduler
  }

  /** The store, but nobody leads in it. */
  get leaderless(): ScheduleStore {
    const { store } = this
    return { ...store, attend: async (request) => ({ ...(await store.attend(request)), leader: null }) }
  }

  get emit(): EmitBeat {
    return this.#emitter.emit
  }

  /** The nominal times published so far, in ms after START. */
  get slots(): number[] {
    return this.published.map((each) => each.nominal - START)
  }
}

export function entryOf(name: string, schedule: Schedule, zone = 'UTC'): BeatEntry<null> {
  return { name, schedule, zone, payload: null }
}

export function putOf(name: string, over: Partial<EntryPut> = {}): EntryPut {
  return { name, spec: '{}', config: null, maxRuns: null, ...over }
}
