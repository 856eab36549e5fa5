import { setTimeout as sleep } from 'node:timers/promises'
import { scriptOn } from './argument.js'
import type { Connection } from './connection.js'
import { BEGIN } from './scripts/begin.js'
import { allShards } from './shard.js'

/** In the place of the last two arguments: nothing that this step decides bears on a loss of data. */
export const UNATTENDED = ['-', 0] as const

/** Another process may be about to begin them. */
const LOOKS = 5
const PAUSE_MS = 20

/**
 * What one client remembers of an app's shards: the names of their epochs, made sure of before it asks for anything that a
 * loss of data bears on. So an epoch that is missing later was lost, and one of another name was begun on an emptied
 * server by somebody who could not know.
 *
 * A server without a single epoch is taken for a new one: it cannot be told from one that was emptied before this client
 * came. Whoever was there before tells, at its next look (a sweep, each second).
 */
export class Epochs {
  readonly #connection: Connection
  readonly #app: string
  #begun: Promise<readonly string[]> | undefined
  #names: readonly string[] | undefined
  #graceMs = 0

  constructor(connection: Connection, app: string) {
    this.#connection = connection
    this.#app = app
  }

  /**
   * The last two arguments of a script with EPOCH. `graceMs`: of the lease that is asked for, with its lock delay; counts
   * for all that this client asks later. A promise only where the epochs must be made sure of first.
   */
  known(shard: number, graceMs = 0): [string, number] | Promise<[string, number]> {
    this.#graceMs = Math.max(this.#graceMs, graceMs)
    if (this.#names) return [this.#names[shard] ?? '', this.#graceMs]
    return this.begin().then((names) => [names[shard] ?? '', this.#graceMs])
  }

  /** @throws StoreUnavailable */
  begin(): Promise<readonly string[]> {
    this.#begun ??= this.#begin().then(
      (names) => {
        this.#names = names
        return names
      },
      (error: unknown) => {
        this.#begun = undefined
        throw error
      },
    )
    return this.#begun
  }

  /** The app's data were removed on purpose. */
  forget(): void {
    this.#begun = undefined
    this.#names = undefined
  }

  async #begin(): Promise<readonly string[]> {
    const shards = allShards('lock', this.#app)
    for (let look = 1; ; look += 1) {
      const found = await this.#connection.askAll(
        shards.map(({ base }) => ({ command: 'GET', args: [`${base}epoch`] })),
      )
      const missing = found.filter((each) => each === null).length
      if (missing === shards.length) break
      // Those that still lack one have lost it: the next step on that shard sees to it.
      if (missing === 0 || look === LOOKS) return found.map((each) => String(each ?? '').split(':', 1)[0] as string)
      await sleep(PAUSE_MS)
    }
    const names = await this.#connection.askAll(shards.map((shard) => scriptOn(shard, this.#app, BEGIN, [])))
    return names.map(String)
  }
}
