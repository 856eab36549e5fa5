import { setTimeout as sleep } from 'node:timers/promises'
import { formatDuration } from '../lock/duration.js'
import { backOffMs } from './back-off.js'
import type { Log } from './log.js'

const REPEAT_MS = 10_000
/** Of clients that were not put into one of our own errors. */
const CUT_OFF =
  /ECONN|EPIPE|ENOENT|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|closed|terminated|cannot be reached|embedded server .* ended/

export interface OutageOptions {
  readonly log: Log
  /** One round trip to each server. */
  readonly probe: () => Promise<unknown>
}

/** Tells of a server's absence once, however many parts complain, and of its return. Other trouble: once in a while. */
export class Outage {
  readonly #options: OutageOptions
  readonly #stopping = new AbortController()
  readonly #told = new Map<string, number>()
  #open: Promise<void> | undefined

  constructor(options: OutageOptions) {
    this.#options = options
  }

  trouble(where: string, error: Error): void {
    const { log } = this.#options
    const text = `${where}: ${error.message}`
    if (this.#stopping.signal.aborted || this.#open) log.debug(text, { error })
    else if (CUT_OFF.test(`${(error as NodeJS.ErrnoException).code ?? ''} ${error.message}`)) this.#begin(error)
    else if (this.#isNews(text)) log.warn(text, { error })
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#open
  }

  #begin(error: Error): void {
    this.#options.log.warn(`${error.message}; trying until it answers`, { error })
    this.#open = this.#untilBack().finally(() => {
      this.#open = undefined
    })
  }

  async #untilBack(): Promise<void> {
    const { log, probe } = this.#options
    const { signal } = this.#stopping
    const startedAt = performance.now()
    for (let failures = 1; !signal.aborted; failures++) {
      await sleep(backOffMs(failures), undefined, { signal, ref: false }).catch(() => undefined)
      if (signal.aborted) return
      const answered = await probe().then(
        () => true,
        () => false,
      )
      if (!answered) continue
      log.info(`the server answers again after ${formatDuration(performance.now() - startedAt)}`)
      return
    }
  }

  #isNews(text: string): boolean {
    const now = performance.now()
    for (const [told, at] of this.#told) if (now - at > REPEAT_MS) this.#told.delete(told)
    const news = !this.#told.has(text)
    if (news) this.#told.set(text, now)
    return news
  }
}
