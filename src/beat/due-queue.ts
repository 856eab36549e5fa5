/** Items by the instant at which they are due: a binary heap, O(log n) a change, the earliest at hand. */
export class DueQueue<Item> {
  readonly #heap: { readonly item: Item; readonly dueAt: number }[] = []

  get size(): number {
    return this.#heap.length
  }

  /** When the earliest is due; Infinity when there is none. */
  get earliest(): number {
    return this.#heap[0]?.dueAt ?? Number.POSITIVE_INFINITY
  }

  push(item: Item, dueAt: number): void {
    this.#heap.push({ item, dueAt })
    let index = this.#heap.length - 1
    while (index > 0) {
      const parent = (index - 1) >>> 1
      if (this.#dueAt(parent) <= dueAt) return
      this.#swap(index, parent)
      index = parent
    }
  }

  /** Takes out all that are due by `now`, the earliest first. */
  takeDue(now: number): Item[] {
    const due: Item[] = []
    while (this.earliest <= now) due.push(this.#pop())
    return due
  }

  clear(): void {
    this.#heap.length = 0
  }

  #pop(): Item {
    this.#swap(0, this.#heap.length - 1)
    const popped = this.#heap.pop()
    if (!popped) throw new RangeError('nothing is left in the queue')
    this.#sink()
    return popped.item
  }

  #sink(): void {
    for (let index = 0; ; ) {
      const left = 2 * index + 1
      const child = this.#dueAt(left + 1) < this.#dueAt(left) ? left + 1 : left
      if (this.#dueAt(index) <= this.#dueAt(child)) return
      this.#swap(index, child)
      index = child
    }
  }

  #dueAt(index: number): number {
    return this.#heap[index]?.dueAt ?? Number.POSITIVE_INFINITY
  }

  #swap(a: number, b: number): void {
    const [first, second] = [this.#heap[a], this.#heap[b]]
    if (!first || !second) return
    this.#heap[a] = second
    this.#heap[b] = first
  }
}
