import type { Count, CounterStore } from '../lock/counter.js'
import type { Emitter } from '../lock/emit.js'
import type { LockKey } from '../lock/key.js'
import { ulid } from '../lock/ulid.js'
import type { AppEvents } from './event.js'

/** Totals by task, then by what was counted. */
export type Totals = Readonly<Record<string, Readonly<Record<string, number>>>>

/** A process that dies loses at most what it counted since. */
const FLUSH_MS = 5_000
/** Failures of a kind of their own: a limit may be set too low. */
const LIMITS: Readonly<Record<string, string>> = { TIME_LIMIT: 'timeLimit', SOFT_TIME_LIMIT: 'softTimeLimit' }

/**
 * Counts what an app's events tell: each outcome, and each attempt of a stale owner. The process keeps its own totals and
 * adds what is new to the server's every 5 s, beside the locks' own steps.
 */
export class Counters {
  readonly #totals = new Map<string, Map<string, number>>()
  #unsent = new Map<string, Map<string, number>>()

  constructor(events: Pick<Emitter<AppEvents>, 'on'>) {
    const on: Emitter<AppEvents>['on'] = (name, listener) => events.on(name, listener)
    on('call:published', ({ task }) => this.#count(task, 'published'))
    on('call:parked', ({ task }) => this.#count(task, 'parked'))
    on('call:coalesced', ({ task }) => this.#count(task, 'coalesced'))
    on('call:refused', ({ task }) => this.#count(task, 'refused'))
    on('call:replaced', ({ key }) => this.#count(taskOf(key), 'replaced'))
    on('call:promoted', ({ task }) => this.#count(task, 'promoted'))
    on('call:failed', ({ task }) => this.#count(task, 'failed'))
    on('call:ended', ({ key, outcome }) => this.#count(taskOf(key), outcome))
    on('run:started', ({ task }) => this.#count(task, 'started'))
    on('run:ended', ({ task, outcome }) => this.#count(task, outcome))
    on('run:ended', ({ task, code }) => code !== null && code in LIMITS && this.#count(task, LIMITS[code] as string))
    on('run:retried', ({ task }) => this.#count(task, 'retried'))
    on('run:crashed', ({ task }) => this.#count(task, 'crashed'))
    on('run:lost', ({ task }) => this.#count(task, 'lost'))
    on('run:buried', ({ task }) => this.#count(task, 'buried'))
    on('run:putBack', ({ task }) => this.#count(task, 'putBack'))
    on('run:duplicate', ({ task }) => this.#count(task, 'duplicate'))
    on('lock:stale', ({ key, step }) => this.#count(taskOf(key), `stale_${step}`))
    on('lock:resolved', ({ key, ended }) => ended && this.#count(taskOf(key), ended))
  }

  /** What this process has counted since it started. */
  totals(): Totals {
    return Object.fromEntries([...this.#totals].map(([task, counts]) => [task, Object.fromEntries(counts)]))
  }

  /** Adds what is new to the server's totals from now on; what it answers ends that, with what is still unsent. */
  flushTo(store: CounterStore): () => Promise<void> {
    let flushing: Promise<void> = Promise.resolve()
    let asked: { readonly id: string; readonly counts: readonly Count[] } | undefined
    const flush = async (): Promise<void> => {
      // A batch whose answer was lost goes again under its own id, before anything new.
      asked ??= { id: ulid(), counts: this.#take() }
      if (asked.counts.length > 0) await store.add(asked.id, asked.counts)
      asked = undefined
    }
    const next = (): void => {
      flushing = flushing.then(flush).catch(() => undefined)
    }
    const timer = setInterval(next, FLUSH_MS).unref()
    return async () => {
      clearInterval(timer)
      // What is still unanswered, then what came since.
      next()
      next()
      await flushing
    }
  }

  #count(task: string, name: string): void {
    for (const counts of [this.#totals, this.#unsent]) {
      const ofTask = counts.get(task) ?? new Map<string, number>()
      counts.set(task, ofTask.set(name, (ofTask.get(name) ?? 0) + 1))
    }
  }

  #take(): Count[] {
    const taken = [...this.#unsent].flatMap(([task, counts]) => [...counts].map(([name, n]) => ({ task, name, n })))
    this.#unsent = new Map()
    return taken
  }
}

export function totalsOf(counts: readonly Count[]): Totals {
  const totals: Record<string, Record<string, number>> = {}
  for (const { task, name, n } of counts) {
    const ofTask = totals[task] ?? {}
    totals[task] = { ...ofTask, [name]: (ofTask[name] ?? 0) + n }
  }
  return totals
}

/** Every key begins with its task's name. */
function taskOf(key: LockKey): string {
  return key.slice(0, Math.max(0, key.lastIndexOf(':')))
}
