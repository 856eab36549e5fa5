import type { Connection } from '../task-base/connection.js'
import type { Autoscale } from '../task-base/worker-options.js'
import type { Capacity } from './capacity.js'
import type { Pool } from './pool.js'

/** What the size of a pool goes by. */
export interface Load {
  readonly size: number
  /** Messages that wait though they could be taken, or because all places are busy. */
  readonly waiting: number
  /** The most bodies that ran at once since the size changed, or since this was last judged. */
  readonly peak: number
  /** How long ago that was. */
  readonly sinceMs: number
}

export interface AutoscaleOptions {
  readonly autoscale: Autoscale
  readonly pool: Pool
  readonly capacity: Capacity
  readonly engine: Connection['servers']['engine']
  readonly queues: () => readonly string[]
  /** Told of a growth that failed, once as long as that repeats. */
  readonly failed: (error: Error) => void
  /** Ends it. */
  readonly signal: AbortSignal
}

const LOOK_EVERY_MS = 250
/** After a growth that failed. */
const PAUSE_MS = 10_000

/** The size that fits a load: more at once where messages wait, fewer where some places were not needed for long. Pure. */
export function sizeFor({ max, min, idleMs }: Autoscale, { size, waiting, peak, sinceMs }: Load): number {
  if (size < min) return min
  if (waiting > 0) return Math.max(size, Math.min(max, size + waiting))
  if (sinceMs >= idleMs) return Math.min(size, Math.max(min, peak))
  return size
}

/** Lets a worker's capacity follow its load. A size that a command sets moves the bound that it crosses. */
export function autoscale(options: AutoscaleOptions): void {
  const { signal } = options
  const scaler = new Scaler(options)
  let looking = false
  const look = async () => {
    if (looking) return
    looking = true
    await scaler.look()
    looking = false
  }
  const timer = setInterval(look, LOOK_EVERY_MS)
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
}

class Scaler {
  readonly #options: AutoscaleOptions
  #bounds: Autoscale
  #since = performance.now()
  #peak = 0
  #waited = false
  #pausedUntil = 0
  #told: string | undefined

  constructor(options: AutoscaleOptions) {
    this.#options = options
    this.#bounds = options.autoscale
  }

  async look(): Promise<void> {
    const { size } = this.#options.capacity
    const { max, min, idleMs } = this.#bounds
    this.#bounds = { max: Math.max(max, size), min: Math.min(min, size), idleMs }
    const running = this.#options.pool.children().filter((child) => child.runId !== null).length
    const waiting = running > 0 && size < this.#bounds.max ? await this.#waiting() : 0
    // Short tasks leave places free at most instants: work that waits twice is work that waits.
    const pressed = waiting > 0 && (running >= size || this.#waited)
    this.#waited = waiting > 0
    this.#peak = Math.max(this.#peak, running)
    const sinceMs = performance.now() - this.#since
    const wanted = sizeFor(this.#bounds, { size, waiting: pressed ? waiting : 0, peak: this.#peak, sinceMs })
    if (wanted !== size || pressed || sinceMs >= idleMs) this.#judgeAnew(running)
    if (wanted !== size) await this.#resize(wanted)
  }

  /** A queue that cannot be asked is told of by its consumer. */
  async #waiting(): Promise<number> {
    const { engine, queues } = this.#options
    const counts = await Promise.all(queues().map((queue) => engine.counts(queue))).catch(() => [])
    return counts.reduce((sum, { waiting }) => sum + waiting, 0)
  }

  #judgeAnew(running: number): void {
    this.#since = performance.now()
    this.#peak = running
  }

  async #resize(size: number): Promise<void> {
    const { capacity, signal, failed } = this.#options
    if (signal.aborted || (size > capacity.size && performance.now() < this.#pausedUntil)) return
    try {
      await capacity.resize(size)
      this.#told = undefined
    } catch (error) {
      this.#pausedUntil = performance.now() + PAUSE_MS
      const { message } = error as Error
      if (this.#told !== message) failed(error as Error)
      this.#told = message
    }
  }
}
