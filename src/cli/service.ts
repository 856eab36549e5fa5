import { formatDuration } from '../lock/duration.js'
import { untilReached } from './back-off.js'
import { EXIT, type ExitCode } from './exit.js'
import type { Log } from './log.js'

/** npm, `timeout` and shells pass on what the whole group has got already: that is one signal, not the second. */
const SAME_MS = 250
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** What runs until it is told to stop. */
export interface Running {
  /** What a warm stop waits for, or undefined for nothing. */
  waitsFor(): string | undefined
  /** May be called with `cold` while a warm stop is under way. */
  stop(how: 'warm' | 'cold'): Promise<void>
  /** Rejects when it cannot go on. */
  readonly failed: Promise<never>
}

export interface Service {
  /** For people. */
  readonly name: 'worker' | 'beat'
  readonly log: Log
  readonly start: () => Promise<Running>
  /** How long a warm stop may take before it becomes a cold one, ms; default: as long as it takes. */
  readonly coldAfterMs?: number
}

/**
 * Starts a service, trying again while its servers are away, and stops it at SIGTERM or SIGINT: the first is a warm stop,
 * the second a cold one, the third ends the process. A start under way is waited for before it is undone.
 */
export async function serve(what: Service): Promise<ExitCode> {
  const { start, log } = what
  const signals = new Signals()
  try {
    const running = await untilReached(start, { log, signal: signals.first })
    if (!running) return EXIT.done
    await Promise.race([signals.asked(signals.first), running.failed.catch((error) => ended(running, error))])
    return await stop(running, signals, what)
  } finally {
    signals.off()
  }
}

async function ended(running: Running, error: unknown): Promise<never> {
  await running.stop('cold').catch(() => undefined)
  throw error
}

async function stop(running: Running, signals: Signals, { name, log, coldAfterMs }: Service): Promise<ExitCode> {
  const waitsFor = running.waitsFor()
  const bound = coldAfterMs === undefined ? '' : `, ${formatDuration(coldAfterMs)} at most`
  const wait = `: it waits for ${waitsFor}${bound}; a second signal ends it at once`
  log.info(`${name} is stopping${waitsFor === undefined ? '' : wait}`)
  const over = new AbortController()
  const reasons = [
    signals.asked(signals.second).then(() => ''),
    passed(coldAfterMs, over.signal).then((after) => `, ${after} after it was told to`),
  ]
  let code: ExitCode = EXIT.done
  const cold = Promise.race(reasons).then((why) => {
    code = EXIT.failed
    log.warn(`${name} is stopping at once${why}: what runs is killed, and delivered again`)
    return running.stop('cold')
  })
  await Promise.race([running.stop('warm'), cold])
  over.abort()
  log.info(`${name} has stopped`)
  return code
}

/** Resolves after `ms`, to that as text; never without a bound, or once `signal` is aborted. */
function passed(ms: number | undefined, signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    if (ms === undefined) return
    const timer = setTimeout(() => resolve(formatDuration(ms)), Math.min(ms, LONGEST_TIMER_MS))
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
  })
}

/** SIGTERM and SIGINT, counted. */
class Signals {
  readonly #asked = [new AbortController(), new AbortController()] as const
  #lastAt = Number.NEGATIVE_INFINITY
  readonly #hear = () => {
    const now = performance.now()
    const same = now - this.#lastAt < SAME_MS
    this.#lastAt = now
    if (same) return
    const next = this.#asked.find((each) => !each.signal.aborted)
    if (next) next.abort()
    else process.exit(EXIT.failed)
  }

  constructor() {
    process.on('SIGTERM', this.#hear)
    process.on('SIGINT', this.#hear)
  }

  get first(): AbortSignal {
    return this.#asked[0].signal
  }

  get second(): AbortSignal {
    return this.#asked[1].signal
  }

  asked(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  off(): void {
    process.off('SIGTERM', this.#hear)
    process.off('SIGINT', this.#hear)
  }
}
