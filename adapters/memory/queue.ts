import type { EngineState } from '../../src/lock/doubt.js'

/** One message in the queue. `order` tells its place among equals. */
interface Entry {
  readonly id: string
  readonly text: string
  readonly priority: number
  readonly head: boolean
  order: number
  state: 'waiting' | 'delayed' | 'active'
  /** When a delayed message may be taken, or an abandoned one comes back, in ms of the monotonic clock. */
  dueAt: number
  /** Raised with each taking: a verdict on an earlier one is void. */
  taking: number
}

/** A message in a consumer's hands. */
export interface Taken {
  readonly id: string
  readonly text: string
  readonly taking: number
}

/** One queue. Has no timer: whoever takes from it asks when to come back. */
export class MemoryQueue {
  readonly #entries = new Map<string, Entry>()
  /** In the order of taking. */
  readonly #waiting: Entry[] = []
  /** By due time: delayed messages, and those whose consumer is gone. */
  readonly #sleeping: Entry[] = []
  #last = 0

  publish(message: { id: string; text: string; priority: number; head: boolean; delayMs: number }): void {
    if (this.#entries.has(message.id)) return
    const { id, text, priority, head, delayMs } = message
    const entry: Entry = { id, text, priority, head, order: 0, state: 'waiting', dueAt: 0, taking: 0 }
    this.#entries.set(id, entry)
    if (delayMs > 0) this.#sleep(entry, 'delayed', delayMs)
    else this.#wait(entry)
  }

  take(): Taken | undefined {
    this.#wake()
    const entry = this.#waiting.shift()
    if (!entry) return undefined
    entry.state = 'active'
    entry.taking += 1
    return { id: entry.id, text: entry.text, taking: entry.taking }
  }

  /** The message has ended. False where it is no longer in these hands. */
  end(taken: Taken): boolean {
    if (!this.#inHand(taken)) return false
    return this.#entries.delete(taken.id)
  }

  /** Back into the queue, to be taken after `delayMs`. */
  putBack(taken: Taken, delayMs: number): void {
    const entry = this.#inHand(taken)
    if (entry) this.#sleep(entry, 'delayed', delayMs)
  }

  /** The consumer is gone without a verdict: the message stays active until it comes back. */
  abandon(taken: Taken, redeliverAfterMs: number): void {
    const entry = this.#inHand(taken)
    if (!entry) return
    entry.taking += 1
    this.#sleep(entry, 'active', redeliverAfterMs)
  }

  /** When the next sleeping message is due, by the monotonic clock. */
  nextDueAt(): number | undefined {
    return this.#sleeping[0]?.dueAt
  }

  state(id: string): EngineState {
    this.#wake()
    return this.#entries.get(id)?.state ?? 'absent'
  }

  textOf(id: string): string | undefined {
    return this.#entries.get(id)?.text
  }

  /** Texts of those that wait for their time, the next due first. */
  delayed(limit: number): string[] {
    this.#wake()
    const entries = this.#sleeping.filter(({ state }) => state === 'delayed')
    return entries.slice(0, limit).map(({ text }) => text)
  }

  counts(): { waiting: number; delayed: number; active: number } {
    this.#wake()
    const counts = { waiting: 0, delayed: 0, active: 0 }
    for (const { state } of this.#entries.values()) counts[state] += 1
    return counts
  }

  /** What waits or is delayed. */
  idle(): readonly { readonly id: string; readonly text: string }[] {
    this.#wake()
    return [...this.#entries.values()].filter(({ state }) => state !== 'active')
  }

  /** Unless somebody has it in hand; answers whether it did. */
  remove(id: string): boolean {
    const entry = this.#entries.get(id)
    if (!entry || entry.state === 'active') return false
    this.#entries.delete(id)
    for (const list of [this.#waiting, this.#sleeping]) if (list.includes(entry)) list.splice(list.indexOf(entry), 1)
    return true
  }

  #inHand(taken: Taken): Entry | undefined {
    const entry = this.#entries.get(taken.id)
    return entry?.state === 'active' && entry.taking === taken.taking ? entry : undefined
  }

  #wait(entry: Entry): void {
    this.#last += 1
    entry.state = 'waiting'
    entry.order = entry.head ? -this.#last : this.#last
    insert(this.#waiting, entry, (a, b) => a.priority - b.priority || a.order - b.order)
  }

  #sleep(entry: Entry, state: 'delayed' | 'active', delayMs: number): void {
    entry.state = state
    entry.dueAt = performance.now() + delayMs
    insert(this.#sleeping, entry, (a, b) => a.dueAt - b.dueAt)
  }

  #wake(): void {
    const now = performance.now()
    for (let next = this.#sleeping[0]; next && next.dueAt <= now; next = this.#sleeping[0]) {
      this.#sleeping.shift()
      this.#wait(next)
    }
  }
}

/** Puts an entry into a sorted list, after its equals. */
function insert(list: Entry[], entry: Entry, compare: (a: Entry, b: Entry) => number): void {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compare(list[middle] as Entry, entry) <= 0) low = middle + 1
    else high = middle
  }
  list.splice(low, 0, entry)
}
