import { untilReached } from './back-off.js'
import { EXIT, type ExitCode } from './exit.js'
import type { Log } from './log.js'

/** npm, `timeout` and shells pass on what the whole group has got already: that is one signal, not the second. */
const SAME_MS = 250

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

async function stop(running: Running, signals: Signals, { name, log }: Service): Promise<ExitCode> {
  const waitsFor = running.waitsFor()
  log.info(
    `${name} is stopping${waitsFor === undefined ? '' : `: it waits for ${waitsFor}; a second signal ends it at once`}`,
  )
  const cold = signals.asked(signals.second).then(() => {
    log.warn(`${name} is stopping at once: what runs is killed, and delivered again`)
    return running.stop('cold')
  })
  await Promise.race([running.stop('warm'), cold])
  log.info(`${name} has stopped`)
  return signals.second.aborted ? EXIT.failed : EXIT.done
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
