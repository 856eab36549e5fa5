/** Somebody asked the demonstration to end. */
export class Interrupted extends Error {
  /** @param {string} signal */
  constructor(signal) {
    super(`ended by ${signal}`)
    /** As a shell expects it. */
    this.exitCode = 128 + (NUMBERS[signal] ?? 15)
  }
}

/** @type {Record<string, number>} */
const NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGPIPE: 13, SIGTERM: 15 }
const HEARD = ['SIGHUP', 'SIGINT', 'SIGTERM']
/** One Ctrl-C under npm comes twice: from the terminal, and passed on by npm. */
const SAME_MS = 1000

/**
 * The first signal aborts `stop`, a later one `now`. The end of whoever reads our output counts as one.
 *
 * @typedef {{ readonly stop: AbortSignal, readonly now: AbortSignal, dispose(): void }} Interrupts
 *
 * @returns {Interrupts}
 */
export function listenForInterrupts() {
  const stop = new AbortController()
  const now = new AbortController()
  let firstAt = 0
  /** @param {string} signal */
  const hear = (signal) => {
    if (!stop.signal.aborted) {
      firstAt = performance.now()
      stop.abort(new Interrupted(signal))
    } else if (performance.now() - firstAt > SAME_MS) now.abort(new Interrupted(signal))
  }
  for (const signal of HEARD) process.on(signal, hear)
  // Node ignores SIGPIPE: a reader that went away is told by the next write.
  const unread = () => hear('SIGPIPE')
  process.stdout.on('error', unread)
  return {
    stop: stop.signal,
    now: now.signal,
    dispose() {
      for (const signal of HEARD) process.off(signal, hear)
    },
  }
}
