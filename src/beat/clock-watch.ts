import { formatDuration } from '../lock/duration.js'
import type { EmitBeat } from './event.js'

/** Less is drift, or the time that a request took. */
const STEP_MS = 5_000

export interface ClockWatchOptions {
  readonly emit: EmitBeat
  /** Told of each answer's `now`, with `performance.now()` before sending. */
  readonly observe: ((storeNow: number, sentAt: number) => void) | undefined
}

/**
 * Compares the store's clock with monotonic time: tells when it was set, or when this host slept. Slots are found by
 * the store's clock alone, so that what a step passed over is a misfire like any other.
 */
export class ClockWatch {
  readonly #options: ClockWatchOptions
  #last: { readonly storeNow: number; readonly sentAt: number } | undefined

  constructor(options: ClockWatchOptions) {
    this.#options = options
  }

  note(storeNow: number, sentAt: number): void {
    const aheadMs = this.#last ? storeNow - (this.#last.storeNow + (sentAt - this.#last.sentAt)) : 0
    if (Math.abs(aheadMs) > STEP_MS) this.#tell(aheadMs)
    this.#last = { storeNow, sentAt }
    this.#options.observe?.(storeNow, sentAt)
  }

  #tell(aheadMs: number): void {
    const by = formatDuration(Math.abs(aheadMs))
    const what =
      aheadMs < 0
        ? `the store's clock was set back by ${by}: entries rest until it has caught up`
        : `the store's clock is ${by} ahead, or this host slept: what came due meanwhile goes by each entry's catchUp`
    // Slots up to the cursor have had their decision: an entry rests until the clock has caught up with it.
    const retryInMs = aheadMs < 0 ? Math.round(-aheadMs) : 0
    this.#options.emit('beat:trouble', { error: new Error(what), entry: null, retryInMs })
  }
}
