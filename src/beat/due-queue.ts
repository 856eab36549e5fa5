/** Items by the instant at which they are due: a binary heap, O(log n) a change, the earliest at hand. */
export class DueQueue<Item> {
  readonly #heap: Node<Item>[] = []
  readonly #nodes = new Map<Item, Node<Item>>()

  get size(): number {
    return this.#heap.length
  }

  /** When the earliest is due; Infinity when there is none. */
  get earliest(): number {
    return this.#heap[0]?.dueAt ?? Number.POSITIVE_INFINITY
  }

  /** Adds an item, or moves it to another instant. */
  set(item: Item, dueAt: number): void {
    this.delete(item)
    const node = { item, dueAt, at: this.#heap.length }
    this.#heap.push(node)
    this.#nodes.set(item, node)
    this.#rise(node.at)
  }

  delete(item: Item): void {
    const node = this.#nodes.get(item)
    if (node) this.#removeAt(node.at)
  }

  /** Takes out all that are due by `now`, the earliest first. */
  takeDue(now: number): Item[] {
    const due: Item[] = []
    while (this.earliest <= now) due.push(this.#removeAt(0))
    return due
  }

  clear(): void {
    this.#heap.length = 0
    this.#nodes.clear()
  }

  #removeAt(at: number): Item {
    this.#swap(at, this.#heap.length - 1)
    const removed = this.#heap.pop()
    if (!removed) throw new RangeError('nothing is left in the queue')
    this.#nodes.delete(removed.item)
    // What took its place may belong higher or lower.
    this.#rise(at)
    this.#sink(at)
    return removed.item
  }

  #rise(from: number): void {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >>> 1
      if (this.#dueAt(parent) <= this.#dueAt(at)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  #sink(from: number): void {
    for (let at = from; ; ) {
      const left = 2 * at + 1
      const child = this.#dueAt(left + 1) < this.#dueAt(left) ? left + 1 : left
      if (this.#dueAt(at) <= this.#dueAt(child)) return
      this.#swap(at, child)
      at = child
    }
  }

  #dueAt(at: number): number {
    return this.#heap[at]?.dueAt ?? Number.POSITIVE_INFINITY
  }

  #swap(a: number, b: number): void {
    const [first, second] = [this.#heap[a], this.#heap[b]]
    if (!first || !second) return
    this.#heap[a] = second
    this.#heap[b] = first
    second.at = a
    first.at = b
  }
}

interface Node<Item> {
  readonly item: Item
  readonly dueAt: number
  at: number
}
