import { setTimeout as sleep } from 'node:timers/promises'
import type { PoolClient } from 'pg'
import { Listeners, type Topic } from '../../src/lock/notice.js'
import type { Database } from './database.js'
import { channel, listenFor } from './statements/notice.js'

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 2_000
const MESSAGE = 'message:'

/** What pg's types do not tell of a client. */
type Session = PoolClient & { readonly processID?: number; unref(): void }

/**
 * What happened to this app's locks, by LISTEN on one connection that the store's pool lends from the first listener on.
 * When it breaks another takes its place, and then everyone looks once. Behind a pooler, where a session belongs to
 * nobody, there are no notices.
 */
export class Notices {
  readonly #db: Database
  readonly #app: string
  readonly #listeners = new Listeners()
  readonly #closed = new AbortController()
  #heard = false
  #hearing: Promise<void> | undefined

  constructor(db: Database, app: string) {
    this.#db = db
    this.#app = app
  }

  listen(topic: Topic, look: () => void): () => void {
    // The only connection of a pool is for the locks.
    if (this.#closed.signal.aborted || this.#db.size < 2) return () => undefined
    const remove = this.#listeners.add(topic, look)
    if (this.#heard) void this.#begin([topic], look)
    this.#hearing ??= this.#hear()
    return () => void remove()
  }

  async close(): Promise<void> {
    this.#closed.abort()
    await this.#hearing
  }

  async #hear(): Promise<void> {
    const { signal } = this.#closed
    for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const life = await this.#live().catch(() => 'failed' as const)
      if (life === 'deaf') return
      if (life === 'ended') pauseMs = FIRST_PAUSE_MS
      await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  /** One connection's life, from being lent to its end; then it is thrown away, and the server forgets its channel. */
  async #live(): Promise<'ended' | 'deaf'> {
    const session = (await this.#db.lend()) as Session
    const over = this.#over(session)
    try {
      const { rows } = await session.query(channel(this.#db.schema), [this.#app])
      const [found] = rows as { channel: string; pid: number }[]
      if (!found || session.processID !== found.pid) return 'deaf'
      session.on('notification', ({ payload }) => this.#listeners.tell(payload as Topic))
      await session.query(`listen "${found.channel}"`)
      session.unref()
      this.#heard = true
      await this.#begin(this.#listeners.topics(), () => this.#listeners.tellAll())
      await over
      return 'ended'
    } finally {
      this.#heard = false
      session.release(true)
    }
  }

  #over(session: Session): Promise<void> {
    const { signal } = this.#closed
    return new Promise((resolve) => {
      const end = (): void => {
        signal.removeEventListener('abort', end)
        resolve()
      }
      session.once('end', end)
      signal.addEventListener('abort', end)
      if (signal.aborted) end()
    })
  }

  /** From now on these are told of; what has happened until now is looked for. */
  async #begin(topics: readonly Topic[], look: () => void): Promise<void> {
    const messages = topics.filter((topic) => topic.startsWith(MESSAGE)).map((topic) => topic.slice(MESSAGE.length))
    try {
      if (messages.length > 0) await this.#db.run(listenFor(this.#db.schema), [this.#app, messages])
    } catch {
      // Whoever waits asks by itself.
    }
    look()
  }
}
