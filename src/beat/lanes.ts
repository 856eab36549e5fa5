export interface LanesOptions<Item> {
  /** At most so many of a group are worked on at once; those of another group do not wait for them. */
  readonly limit: number
  readonly groupOf: (item: Item) => string
  readonly work: (item: Item) => Promise<void>
  /** Handed what was added and not begun. */
  readonly leftOver: (item: Item) => void
}

interface Group<Item> {
  waiting: Item[]
  /** Of those that wait: the first that has not begun. */
  next: number
  underWay: number
}

/** A longer timer is none: `setTimeout` takes 31 bits. */
const LONGEST_MS = 60_000

/**
 * Works on items, the first come first, also while more are added. After a failure nothing further is begun until it has
 * been taken notice of: what waits is left over, what is under way goes on.
 */
export class Lanes<Item> {
  readonly #options: LanesOptions<Item>
  readonly #groups = new Map<string, Group<Item>>()
  #failure: { readonly error: unknown } | undefined
  #ended: () => void = () => {}

  constructor(options: LanesOptions<Item>) {
    this.#options = options
  }

  get busy(): boolean {
    return [...this.#groups.values()].some(({ underWay }) => underWay > 0)
  }

  get failed(): boolean {
    return this.#failure !== undefined
  }

  add(items: readonly Item[]): void {
    for (const item of items) this.#groupOf(item).waiting.push(item)
    for (const group of this.#groups.values()) this.#fill(group)
  }

  /** Leaves over what has not begun. */
  drop(): void {
    for (const group of this.#groups.values()) {
      const rest = group.waiting.slice(group.next)
      group.waiting = []
      group.next = 0
      for (const item of rest) this.#options.leftOver(item)
    }
  }

  /** Until an item under way has ended; at most so long. For one waiter at a time. */
  progress(forMs: number): Promise<void> {
    return new Promise((resolve) => {
      const late = setTimeout(resolve, Math.min(forMs, LONGEST_MS))
      this.#ended = () => {
        clearTimeout(late)
        resolve()
      }
    })
  }

  /** The first failure since the last call; after it the lanes are open again. */
  takeFailure(): { readonly error: unknown } | undefined {
    const failure = this.#failure
    this.#failure = undefined
    return failure
  }

  #groupOf(item: Item): Group<Item> {
    const name = this.#options.groupOf(item)
    const group = this.#groups.get(name) ?? { waiting: [], next: 0, underWay: 0 }
    this.#groups.set(name, group)
    return group
  }

  #fill(group: Group<Item>): void {
    if (this.#failure) this.drop()
    while (group.underWay < this.#options.limit && group.next < group.waiting.length) {
      const item = group.waiting[group.next++] as Item
      group.underWay += 1
      void this.#begin(item, group)
    }
    if (group.next < group.waiting.length) return
    group.waiting = []
    group.next = 0
  }

  async #begin(item: Item, group: Group<Item>): Promise<void> {
    await this.#options.work(item).catch((error: unknown) => {
      this.#failure ??= { error }
    })
    group.underWay -= 1
    this.#fill(group)
    this.#ended()
  }
}
