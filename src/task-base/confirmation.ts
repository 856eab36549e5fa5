import type { MessageRef } from '../lock/hold.js'
import type { LockStore } from '../lock/lock-store.js'

/**
 * How long confirmations gather before they leave together: the more of them, the less each costs. A message that is
 * delivered meanwhile starts all the same.
 */
const GATHER_MS = 100
const MAX_BATCH = 500

/**
 * Confirmations of published messages, sent in batches beside the calls. One that fails is told and left to the
 * sweeper, which asks the engine: nothing depends on it but the time for which a key reads `publishing`.
 */
export class Confirmations {
  readonly #store: LockStore
  readonly #failed: (error: Error) => void
  #waiting: MessageRef[] = []
  #timer: NodeJS.Timeout | undefined
  #underWay: Promise<void> = Promise.resolve()

  constructor(store: LockStore, failed: (error: Error) => void) {
    this.#store = store
    this.#failed = failed
  }

  add(ref: MessageRef): void {
    this.#waiting.push(ref)
    if (this.#waiting.length >= MAX_BATCH) this.#send()
    else this.#timer ??= setTimeout(() => this.#send(), GATHER_MS)
  }

  /** Resolves when everything added so far has been answered. */
  async flush(): Promise<void> {
    this.#send()
    await this.#underWay
  }

  #send(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const batch = this.#waiting.splice(0)
    if (batch.length === 0) return
    const sent = this.#store.confirm(batch).catch((error: unknown) => this.#failed(error as Error))
    this.#underWay = Promise.all([this.#underWay, sent]).then(() => undefined)
  }
}
