/** Bytes of a run's name, at most. */
const LONGEST_NAME = 128
const HEAD = 40
/** Until when the run in hand is trusted, monotonic ns; 0: none, nothing to lose. Of two runs it is never the same. */
const DEADLINE = 0
/** When the dead-man looks next, monotonic ns; 0: when it is told to. */
const NEXT_LOOK = 1
/** 1: the keeper was told of a run. */
const TOLD = 2
/** Bytes of the name. */
const LENGTH = 3
/** How many runs were taken so far. */
const TAKEN = 4

export interface HeldRun {
  readonly runId: string
  readonly deadlineNs: bigint
}

/**
 * The run that a process has in hand, in memory that its main thread and its dead-man share: short runs come and go
 * without either of them waking the other. The main thread takes and leaves, the dead-man looks.
 */
export class RunInHand {
  readonly memory: SharedArrayBuffer
  readonly #words: BigInt64Array
  readonly #name: Uint8Array

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(HEAD + LONGEST_NAME)) {
    this.memory = memory
    this.#words = new BigInt64Array(memory, 0, HEAD / 8)
    this.#name = new Uint8Array(memory, HEAD)
  }

  /** Answers whether the dead-man must be told to look: it sleeps, or would look too late. */
  take({ runId, deadlineNs }: HeldRun): boolean {
    Atomics.store(this.#words, DEADLINE, 0n)
    const { length } = runId
    if (length > LONGEST_NAME)
      throw new RangeError(`a run's name has at most ${LONGEST_NAME} characters, got ${length}.`)
    for (let at = 0; at < length; at += 1) this.#name[at] = runId.charCodeAt(at)
    Atomics.store(this.#words, LENGTH, BigInt(length))
    Atomics.add(this.#words, TAKEN, 1n)
    Atomics.store(this.#words, DEADLINE, deadlineNs)
    // After the store: a dead-man that goes to sleep writes that down, then looks once more.
    const nextNs = Atomics.load(this.#words, NEXT_LOOK)
    return nextNs === 0n || deadlineNs < nextNs
  }

  /** Answers whether the dead-man must be told to look: the keeper knows of the run. */
  leave(): boolean {
    Atomics.store(this.#words, DEADLINE, 0n)
    return Atomics.load(this.#words, TOLD) === 1n
  }

  deadlineNs(): bigint {
    return Atomics.load(this.#words, DEADLINE)
  }

  /** How many runs were taken so far. */
  get taken(): bigint {
    return Atomics.load(this.#words, TAKEN)
  }

  look(): HeldRun | null {
    for (;;) {
      const deadlineNs = this.deadlineNs()
      if (deadlineNs === 0n) return null
      const runId = String.fromCharCode(...this.#name.subarray(0, Number(Atomics.load(this.#words, LENGTH))))
      // Else it was left, and maybe another taken, while its name was read. (An exchange: no read may pass it.)
      if (Atomics.compareExchange(this.#words, DEADLINE, deadlineNs, deadlineNs) === deadlineNs)
        return { runId, deadlineNs }
    }
  }

  /** Another deadline for a run that was looked at; without effect once it was left. */
  extend({ deadlineNs }: HeldRun, untilNs: bigint): void {
    Atomics.compareExchange(this.#words, DEADLINE, deadlineNs, untilNs)
  }

  /** 0: when told to. */
  lookAgainAt(ns: bigint): void {
    Atomics.store(this.#words, NEXT_LOOK, ns)
  }

  told(whether: boolean): void {
    Atomics.store(this.#words, TOLD, whether ? 1n : 0n)
  }
}
