import type { ConsumeOptions, Consumer, Verdict } from '../../src/task-base/engine.js'
import { decodeMessage, type Message } from '../../src/task-base/message.js'
import { type Broker, queueOf } from './broker.js'
import type { MemoryQueue, Taken } from './queue.js'

/** For a delivery that rejects, as the port says. */
const REJECTED_PUT_BACK_MS = 5_000
/** The longest that a timer of Node can wait. */
const LONGEST_TIMER_MS = 2_147_483_647

interface Delivering extends Taken {
  readonly queue: MemoryQueue
  readonly message: Message
}

/** Takes from its queues in turn while it has a free hand. Owns one timer: for the next message that is due. */
export class MemoryConsumer implements Consumer {
  readonly #broker: Broker
  readonly #options: ConsumeOptions
  readonly #underWay = new Map<Delivering, Promise<void>>()
  readonly #wake = (): void => this.#soon()
  readonly #queues: Set<string>
  #concurrency: number
  /** Deliveries under way whose hands are not free. */
  #busy = 0
  #taking = true
  #closed = false
  #abandoned = false
  #turn = 0
  #immediate: NodeJS.Immediate | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(broker: Broker, options: ConsumeOptions) {
    this.#broker = broker
    this.#options = options
    this.#queues = new Set(options.queues)
    this.#concurrency = options.concurrency
    broker.listeners.add(this.#wake)
    this.#soon()
  }

  async pause(): Promise<void> {
    this.#taking = false
    this.#broker.listeners.delete(this.#wake)
    clearImmediate(this.#immediate)
    this.#immediate = undefined
    clearTimeout(this.#timer)
  }

  async resume(): Promise<void> {
    if (this.#closed) return
    this.#taking = true
    this.#broker.listeners.add(this.#wake)
    this.#soon()
  }

  async resize(concurrency: number): Promise<void> {
    this.#concurrency = concurrency
    if (this.#taking) this.#soon()
  }

  async addQueue(queue: string): Promise<void> {
    this.#queues.add(queue)
    if (this.#taking) this.#soon()
  }

  async cancelQueue(queue: string): Promise<void> {
    this.#queues.delete(queue)
  }

  async close(how: 'finish' | 'now'): Promise<void> {
    this.#closed = true
    await this.pause()
    if (how === 'finish') {
      await Promise.all(this.#underWay.values())
      return
    }
    this.#abandoned = true
    for (const delivering of this.#underWay.keys()) {
      delivering.queue.abandon(delivering, this.#options.redeliverAfterMs)
    }
    // Another consumer has to set its timer by what was just given up.
    for (const listener of this.#broker.listeners) listener()
  }

  /** Never within the publisher's own call. */
  #soon(): void {
    this.#immediate ??= setImmediate(() => {
      this.#immediate = undefined
      this.#fill()
    })
  }

  #fill(): void {
    while (this.#taking && this.#hasHand()) {
      const delivering = this.#take()
      if (!delivering) break
      this.#underWay.set(delivering, this.#deliver(delivering))
    }
    this.#setTimer()
  }

  #hasHand(): boolean {
    return this.#busy < this.#concurrency && this.#underWay.size < 2 * this.#concurrency
  }

  #take(): Delivering | undefined {
    const queues = [...this.#queues]
    for (let tried = 0; tried < queues.length; tried += 1) {
      const queue = queueOf(this.#broker, queues[this.#turn % queues.length] as string)
      this.#turn += 1
      const taken = queue.take()
      if (taken) return { ...taken, queue, message: decodeMessage(taken.text) }
    }
    return undefined
  }

  async #deliver(delivering: Delivering): Promise<void> {
    this.#busy += 1
    let busy = true
    const free = (): void => {
      if (!busy) return
      busy = false
      this.#busy -= 1
      if (this.#taking) this.#soon()
    }
    const verdict = await this.#verdictOn(delivering, free)
    free()
    this.#underWay.delete(delivering)
    if (this.#abandoned) return
    if (verdict.verdict === 'putBack') delivering.queue.putBack(delivering, verdict.delayMs)
    else if (delivering.queue.end(delivering)) this.#options.acknowledged(delivering.message)
    if (this.#taking) this.#soon()
  }

  async #verdictOn({ message }: Delivering, free: () => void): Promise<Verdict> {
    try {
      // Not before the delivery is noted as under way.
      await Promise.resolve()
      return await this.#options.deliver({ message, free })
    } catch (error) {
      this.#options.trouble(error instanceof Error ? error : new Error(String(error)))
      return { verdict: 'putBack', delayMs: REJECTED_PUT_BACK_MS }
    }
  }

  #setTimer(): void {
    clearTimeout(this.#timer)
    if (!this.#taking || !this.#hasHand()) return
    const due = [...this.#queues].flatMap((name) => queueOf(this.#broker, name).nextDueAt() ?? [])
    if (due.length === 0) return
    const waitMs = Math.ceil(Math.min(...due) - performance.now())
    this.#timer = setTimeout(this.#wake, Math.min(Math.max(1, waitMs), LONGEST_TIMER_MS))
  }
}
