/**
 * What somebody may be waiting for. `worker:<name>`: a run of that worker was told to stop. `message:<id>`: that message
 * has its turn, or has ended. `due`: a parked call has its turn and nobody was handed it. `command:<name>`: that worker
 * was asked something; `answer:<id>`: that command was answered. `workers`: a worker was seen for the first time, or left.
 */
export type Topic =
  | `worker:${string}`
  | `message:${string}`
  | `command:${string}`
  | `answer:${string}`
  | 'due'
  | 'workers'

/** Who listens for what, within one process. */
export class Listeners {
  readonly #looks = new Map<Topic, Set<{ readonly look: () => void }>>()

  has(topic: Topic): boolean {
    return this.#looks.has(topic)
  }

  topics(): Topic[] {
    return [...this.#looks.keys()]
  }

  /** Answers how to stop, which says once whether nobody listens for that topic any more. */
  add(topic: Topic, look: () => void): () => boolean {
    const of = this.#looks.get(topic) ?? new Set()
    const entry = { look }
    this.#looks.set(topic, of.add(entry))
    return () => {
      if (!of.delete(entry) || of.size > 0) return false
      return this.#looks.delete(topic)
    }
  }

  tell(topic: Topic): void {
    for (const { look } of [...(this.#looks.get(topic) ?? [])]) look()
  }

  tellAll(): void {
    for (const topic of this.topics()) this.tell(topic)
  }
}
