import type { HeldLease } from './lease-keeper.js'

/** Leases at once; more are told one by one. */
const SEATS = 256
/** Of one lease as JSON, its claim included; a longer one is told as well. */
const TEXT_BYTES = 2048
/** 1: the keeper looks by itself. */
const AWAKE = 0
const HEAD = 1
/**
 * Words of a seat: until when its lease is trusted; how often it was taken and left, odd: it is held; bytes of text; the
 * turn that the keeper has done with.
 */
const DEADLINE = 0
const TURN = 1
const LENGTH = 2
const DONE = 3
const SEAT_WORDS = 4

/** A lease that the board shows, and how another deadline of it is written there. */
export interface BoardedLease {
  readonly lease: HeldLease
  extend(deadlineNs: bigint): void
}

export interface BoardNews {
  readonly gone: readonly string[]
  readonly come: readonly BoardedLease[]
  /** How many leases there are now. */
  readonly held: number
  /** Whether any came since the last look or went, also one that did both. */
  readonly stirred: boolean
}

/**
 * The leases of a process, in memory that its main thread and its keeper thread share: short ones come and go without
 * either waking the other, and what the main thread wrote is seen also while that is blocked. The main thread puts and
 * removes, the keeper looks.
 */
export class LeaseBoard {
  readonly memory: SharedArrayBuffer
  readonly #words: BigInt64Array
  readonly #text: Buffer
  /** The longest free first. */
  readonly #free: number[] = Array.from({ length: SEATS }, (_, seat) => seat)
  /** Of the keeper: what it saw at each seat. */
  readonly #seen: { turn: bigint; runId: string | undefined }[]

  constructor(memory = new SharedArrayBuffer((HEAD + SEATS * SEAT_WORDS) * 8 + SEATS * TEXT_BYTES)) {
    this.memory = memory
    this.#words = new BigInt64Array(memory, 0, HEAD + SEATS * SEAT_WORDS)
    this.#text = Buffer.from(memory, this.#words.byteLength)
    this.#seen = Array.from({ length: SEATS }, () => ({ turn: 0n, runId: undefined }))
  }

  /** Answers the seat; undefined where there is no room. */
  put(lease: HeldLease, deadlineNs: bigint): number | undefined {
    const text = JSON.stringify({ ...lease, sentAtNs: String(lease.sentAtNs) })
    const bytes = Buffer.byteLength(text)
    const seat = bytes > TEXT_BYTES ? undefined : this.#freeSeat()
    if (seat === undefined) return undefined
    this.#text.write(text, seat * TEXT_BYTES)
    Atomics.store(this.#words, wordOf(seat, LENGTH), BigInt(bytes))
    Atomics.store(this.#words, wordOf(seat, DEADLINE), deadlineNs)
    Atomics.add(this.#words, wordOf(seat, TURN), 1n)
    return seat
  }

  remove(seat: number): void {
    Atomics.add(this.#words, wordOf(seat, TURN), 1n)
    this.#free.push(seat)
  }

  /** Its text is nobody's any more: written anew while the keeper reads it, it could be read as half of each. */
  #freeSeat(): number | undefined {
    const [seat] = this.#free
    if (seat === undefined) return undefined
    const left = Atomics.load(this.#words, wordOf(seat, TURN))
    return Atomics.load(this.#words, wordOf(seat, DONE)) === left ? this.#free.shift() : undefined
  }

  /** Of a lease that was put there and not removed. */
  deadlineNs(seat: number): bigint {
    return Atomics.load(this.#words, wordOf(seat, DEADLINE))
  }

  /** Whether the keeper looks by itself; asked after a lease was put. */
  get awake(): boolean {
    return Atomics.load(this.#words, AWAKE) === 1n
  }

  /** Written down before the last look: what is put after that look is put by one who sees this. */
  set awake(whether: boolean) {
    Atomics.store(this.#words, AWAKE, whether ? 1n : 0n)
  }

  /** What came and went since the last look. */
  look(): BoardNews {
    const gone: string[] = []
    const come: BoardedLease[] = []
    let [held, stirred] = [0, false]
    for (const [seat, seen] of this.#seen.entries()) {
      const turn = Atomics.load(this.#words, wordOf(seat, TURN))
      if (isHeld(turn)) held += 1
      if (turn === seen.turn) continue
      stirred = true
      if (seen.runId !== undefined) gone.push(seen.runId)
      const boarded = isHeld(turn) ? this.#read(seat) : undefined
      this.#seen[seat] = { turn, runId: boarded?.lease.runId }
      if (boarded) come.push(boarded)
      Atomics.store(this.#words, wordOf(seat, DONE), turn)
    }
    return { gone, come, held, stirred }
  }

  /** Nobody writes to a seat from when it is taken until the keeper has done with the turn in which it was left. */
  #read(seat: number): BoardedLease {
    const length = Number(Atomics.load(this.#words, wordOf(seat, LENGTH)))
    const text = this.#text.toString('utf8', seat * TEXT_BYTES, seat * TEXT_BYTES + length)
    let lastNs = this.deadlineNs(seat)
    const { sentAtNs, ...lease } = JSON.parse(text) as Omit<HeldLease, 'sentAtNs'> & { readonly sentAtNs: string }
    return {
      lease: { ...lease, sentAtNs: BigInt(sentAtNs) },
      // Without effect once the seat has another lease, which has a deadline of its own.
      extend: (deadlineNs) => {
        Atomics.compareExchange(this.#words, wordOf(seat, DEADLINE), lastNs, deadlineNs)
        lastNs = deadlineNs
      },
    }
  }
}

function wordOf(seat: number, word: number): number {
  return HEAD + seat * SEAT_WORDS + word
}

function isHeld(turn: bigint): boolean {
  return turn % 2n === 1n
}
