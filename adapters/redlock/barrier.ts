import { setTimeout as sleep } from 'node:timers/promises'
import Redlock, { Lock } from 'redlock'
import type { Barrier, Seat, SeatAnswer } from '../../src/lock/barrier.js'
import { lockDelayMs, trustMarginMs } from '../../src/lock/trust.js'
import { Nodes } from './nodes.js'
import { type Votes, votesOf, votesOfError } from './vote.js'

/** Survives a structured clone. */
export interface QuorumOptions {
  readonly app: string
  /** URLs of independent Redis nodes: at least 3, an odd number. */
  readonly nodes: readonly string[]
  /** Of the leases that the seats are prolonged with. */
  readonly leaseMs: number
}

const TRIES = 3
const AT_ONCE = 200
/** Two that ask at once may each get too few votes: apart by chance, one of them gets there first. */
const BETWEEN_TRIES_MS = 8

/**
 * Seats that a majority of independent Redis nodes has given, by redlock. A seat outlives the lease it goes with by most
 * of the lock delay, and is over a little before that: whoever is granted the key then finds it free.
 *
 * @throws UsageError for nodes that cannot vote; StoreUnavailable where fewer than a quorum answer.
 */
export async function openBarrier(
  { app, nodes: urls, leaseMs }: QuorumOptions,
  trouble: (error: Error) => void = () => {},
): Promise<Barrier> {
  const nodes = new Nodes(urls, trouble)
  try {
    await nodes.open()
  } catch (error) {
    nodes.close()
    throw error
  }
  return new QuorumBarrier({ app, nodes, ttlMs: Math.floor(leaseMs + lockDelayMs(leaseMs) - trustMarginMs(leaseMs)) })
}

/** What names our votes; undefined while they are asked for. */
interface Held {
  readonly vote: { readonly resource: string; readonly value: string } | undefined
}

/** A class, since it has seats to keep. */
class QuorumBarrier implements Barrier {
  readonly kind = 'quorum'
  readonly #nodes: Nodes
  readonly #redlock: Redlock
  readonly #prefix: string
  readonly #ttlMs: number
  /** What this process holds, or is about to. */
  readonly #seats = new Map<string, Held>()

  constructor({ app, nodes, ttlMs }: { app: string; nodes: Nodes; ttlMs: number }) {
    this.#nodes = nodes
    this.#prefix = `beatlock:${encodeURIComponent(app)}:seat:`
    this.#ttlMs = ttlMs
    this.#redlock = new Redlock(nodes.clients, { retryCount: 0 })
    // Told by the votes of each answer.
    this.#redlock.on('error', () => {})
  }

  async take(seat: Seat): Promise<'taken' | 'refused'> {
    const id = idOf(seat)
    if (this.#seats.has(id)) return 'refused'
    this.#seats.set(id, { vote: undefined })
    let lock: Lock | undefined
    try {
      lock = await this.#tryToTake(this.#prefix + id)
    } finally {
      if (!lock) this.#seats.delete(id)
    }
    if (!lock) return 'refused'
    this.#seats.set(id, { vote: { resource: this.#prefix + id, value: lock.value } })
    void votesOf(lock.attempts).then((votes) => this.#heard(votes))
    return 'taken'
  }

  /** So many at a time: a command's time runs from when it is sent. Where none is answered the rest is not asked for. */
  async extend(seats: readonly Seat[]): Promise<readonly SeatAnswer[]> {
    const answers: SeatAnswer[] = []
    for (let from = 0; from < seats.length; from += AT_ONCE) {
      const some = await Promise.all(seats.slice(from, from + AT_ONCE).map((seat) => this.#extend(seat)))
      answers.push(...some)
      if (some.every((answer) => answer === 'unanswered')) break
    }
    return [...answers, ...seats.slice(answers.length).map(() => 'unanswered' as const)]
  }

  /** Its votes that cannot be taken back end by themselves. */
  async drop(seat: Seat): Promise<void> {
    const id = idOf(seat)
    const held = this.#seats.get(id)
    if (!held?.vote) return
    this.#seats.delete(id)
    await this.#release(held)
  }

  /** Losses are answered by `extend`. */
  onLost(): void {}

  async close(): Promise<void> {
    const seats = [...this.#seats.values()]
    this.#seats.clear()
    await Promise.all(seats.map((held) => this.#release(held)))
    this.#nodes.close()
  }

  /**
   * Undefined: a quorum answered, and too few of it gave their vote. Not to be repeated as it is: an acquire whose reply was
   * lost has taken a vote that nobody knows of, and redlock takes back what it can before it throws.
   */
  async #tryToTake(resource: string): Promise<Lock | undefined> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#redlock.acquire([resource], this.#ttlMs)
      } catch (error) {
        const votes = await votesOfError(error)
        this.#heard(votes)
        if (votes.yes.length + votes.no.length < votes.quorum) throw this.#nodes.unavailable(votes.silent)
        if (tries === TRIES) return undefined
      }
      await sleep(BETWEEN_TRIES_MS * Math.random())
    }
  }

  async #extend(seat: Seat): Promise<SeatAnswer> {
    const id = idOf(seat)
    const held = this.#seats.get(id)
    const lock = held && this.#lockOf(held)
    if (!lock) return 'dropped'
    try {
      const { attempts } = await this.#redlock.extend(lock, this.#ttlMs)
      void votesOf(attempts).then((votes) => this.#refill(id, held, votes))
      return 'extended'
    } catch (error) {
      const votes = await votesOfError(error)
      this.#heard(votes)
      if (this.#seats.get(id) !== held) return 'dropped'
      // Those that say nothing may still have their vote for us.
      return votes.no.length >= votes.quorum ? 'lost' : 'unanswered'
    }
  }

  /**
   * A node that came back empty has forgotten its vote: a holder whom a quorum has just confirmed gives it to the node
   * again, else two such nodes, one after the other, would be a loss.
   */
  #refill(id: string, held: Held, votes: Votes): void {
    this.#heard(votes)
    if (!held.vote || this.#seats.get(id) !== held) return
    const { resource, value } = held.vote
    for (const node of votes.no) node.set(resource, value, 'PX', this.#ttlMs, 'NX').catch(() => undefined)
  }

  async #release(held: Held): Promise<void> {
    const lock = this.#lockOf(held)
    if (lock) await this.#redlock.release(lock).catch(() => undefined)
  }

  /**
   * Without an end: redlock judges that by the wall clock, which may be set, and whoever prolongs goes by a better one. A new
   * object each time, since it takes one that it has prolonged for ended.
   */
  #lockOf({ vote }: Held): Lock | undefined {
    return vote && new Lock(this.#redlock, [vote.resource], vote.value, [], Number.POSITIVE_INFINITY)
  }

  #heard({ yes, no, silent }: Votes): void {
    this.#nodes.note({ heard: [...yes, ...no], silent })
  }
}

function idOf({ key, slot }: Seat): string {
  return `${slot}:${key}`
}
