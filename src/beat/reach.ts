import { setTimeout as sleep } from 'node:timers/promises'
import { formatDuration } from '../lock/duration.js'
import { WELL_MS } from './health.js'
import { asError } from './trouble.js'

export interface ReachOptions {
  readonly servers: readonly {
    /** As shown to people. */
    readonly name: string
    /** One round trip; rejects, or never answers, while the server is away. */
    readonly ask: () => Promise<unknown>
  }[]
  /** Default 3,000. */
  readonly everyMs?: number
  readonly monotonic?: () => number
}

const EVERY_MS = 3_000

/** Whether the servers that slots are published to can be reached: asked now and then, since for hours none may be due. */
export class Reach {
  readonly #options: ReachOptions
  readonly #monotonic: () => number
  readonly #stopping = new AbortController()
  readonly #seen: { readonly name: string; at: number; error: Error | undefined }[] = []

  constructor(options: ReachOptions) {
    this.#options = options
    this.#monotonic = options.monotonic ?? (() => performance.now())
    for (const { name, ask } of options.servers) {
      const seen = { name, at: this.#monotonic(), error: undefined }
      this.#seen.push(seen)
      void this.#keepAsking(ask, seen)
    }
  }

  /** Which server has not answered for ten seconds, and why; null for none. */
  get why(): string | null {
    for (const { name, at, error } of this.#seen) {
      const silentMs = this.#monotonic() - at
      if (silentMs < WELL_MS) continue
      const forLong = `has not answered for ${formatDuration(Math.round(silentMs / 1_000) * 1_000)}`
      return `${name} ${forLong}${error ? `: ${error.message}` : ''}`
    }
    return null
  }

  /** A question under way ends with its connection. */
  stop(): void {
    this.#stopping.abort()
  }

  async #keepAsking(ask: () => Promise<unknown>, seen: { at: number; error: Error | undefined }): Promise<void> {
    const { everyMs = EVERY_MS } = this.#options
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const sentAt = this.#monotonic()
      seen.error = await ask().then(() => undefined, asError)
      if (!seen.error) seen.at = sentAt
      await sleep(everyMs, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }
}
