/** Something that happened, for whoever listens: a log, counters, a test. */
export interface Emitter<Events> {
  /** Calls `listener` for each event of that name; answers how to stop. A listener that throws or rejects harms nobody. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void
  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void
}

/** An emitter whose `emit` never throws: what a listener does is not the core's concern. */
export function createEmitter<Events>(): Emitter<Events> {
  const listeners = new Map<keyof Events, Set<(event: never) => void>>()
  return {
    on(name, listener) {
      const of = listeners.get(name) ?? new Set()
      listeners.set(name, of.add(listener as (event: never) => void))
      return () => void of.delete(listener as (event: never) => void)
    },
    emit(name, event) {
      for (const listener of listeners.get(name) ?? []) {
        try {
          const done: unknown = (listener as (event: unknown) => unknown)(event)
          if (done instanceof Promise) done.catch(() => undefined)
        } catch {
          // A subscriber's mistake must not reach the lock.
        }
      }
    },
  }
}
