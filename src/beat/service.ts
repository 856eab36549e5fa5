import { setTimeout as sleep } from 'node:timers/promises'
import { hasCode } from '../lock/error.js'
import type { EmitBeat } from './event.js'
import { WELL_MS } from './health.js'
import { asError } from './trouble.js'

export interface BeatServiceOptions {
  readonly scheduler: { start(): Promise<void>; tick(): Promise<number> }
  readonly emit: EmitBeat
}

const FIRST_RETRY_MS = 250
const LONGEST_RETRY_MS = 5_000

/** The loop round the scheduler: tick, sleep as long as it says, until stopped. */
export class BeatService {
  readonly #options: BeatServiceOptions
  /** Failures in a row, and since when (`performance.now()`). */
  #trouble: { readonly since: number; readonly failures: number; readonly error: Error } | undefined

  constructor(options: BeatServiceOptions) {
    this.#options = options
  }

  /** What has kept passes from going well for ten seconds; null for nothing. */
  get why(): string | null {
    if (!this.#trouble || performance.now() - this.#trouble.since < WELL_MS) return null
    return this.#trouble.error.message
  }

  /**
   * Runs until `signal` is aborted; a pass under way is finished first. A server that cannot be reached ends nothing: it
   * is told once, tried again after 0.25 s … 5 s, and told once more when it is back. @throws UsageError
   */
  async start(signal: AbortSignal): Promise<void> {
    const { scheduler } = this.#options
    let started = false
    while (!signal.aborted) {
      const waitMs = await this.#attempt(async () => {
        if (!started) await scheduler.start()
        started = true
        return scheduler.tick()
      })
      await rest(waitMs, signal)
    }
  }

  async #attempt(pass: () => Promise<number>): Promise<number> {
    try {
      const waitMs = await pass()
      this.#recovered()
      return waitMs
    } catch (error) {
      if (hasCode(error, 'USAGE')) throw error
      return this.#failed(error)
    }
  }

  #failed(error: unknown): number {
    const failures = (this.#trouble?.failures ?? 0) + 1
    const retryInMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1))
    const reason = asError(error)
    if (!this.#trouble) this.#options.emit('beat:trouble', { error: reason, entry: null, retryInMs })
    this.#trouble = { since: this.#trouble?.since ?? performance.now(), failures, error: reason }
    // Beats that lost the same server must not come back to it in step.
    return retryInMs * (0.5 + Math.random() / 2)
  }

  #recovered(): void {
    if (!this.#trouble) return
    this.#options.emit('beat:recovered', { afterMs: performance.now() - this.#trouble.since })
    this.#trouble = undefined
  }
}

async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}
