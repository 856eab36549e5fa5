import type { BodyEnd, BodyRequest } from '../task-base/body.js'
import type { Message } from '../task-base/message.js'

/** A delivery, from the message to the end that is written down. */
export interface Taken {
  readonly message: Message
  /** Epoch ms by the store's clock. */
  readonly takenAt: number
}

/** A body that the pool was given. */
export interface Given {
  readonly body: BodyRequest
  /** Epoch ms by the store's clock. */
  readonly givenAt: number
}

/** What a worker has in its hands. */
export class UnderWay {
  readonly #now: () => number
  readonly #taken = new Set<Taken>()
  readonly #given = new Map<string, Given>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** Deliveries. */
  get count(): number {
    return this.#taken.size
  }

  taken(): readonly Taken[] {
    return [...this.#taken]
  }

  given(runId: string): Given | undefined {
    return this.#given.get(runId)
  }

  async delivery<T>(message: Message, deliver: () => Promise<T>): Promise<T> {
    const taken = { message, takenAt: this.#now() }
    this.#taken.add(taken)
    try {
      return await deliver()
    } finally {
      this.#taken.delete(taken)
    }
  }

  async run(body: BodyRequest, run: (body: BodyRequest) => Promise<BodyEnd>): Promise<BodyEnd> {
    this.#given.set(body.runId, { body, givenAt: this.#now() })
    try {
      return await run(body)
    } finally {
      this.#given.delete(body.runId)
    }
  }
}
