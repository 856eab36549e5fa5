import { setTimeout as sleep } from 'node:timers/promises'
import type { Barrier, Seat, SeatAnswer } from '../../src/lock/barrier.js'
import { StoreUnavailable } from '../../src/lock/error.js'
import { type Backend, type BarrierSession, cut, openSession } from './barrier-session.js'
import { failureOf, publicError } from './failure.js'
import { askerOf, type PostgresOptions, quotedSchema } from './options.js'
import { ensureSchema } from './schema.js'
import { dropSeat, endBackend, retakeSeats, takeSeat } from './statements/barrier.js'

export interface PostgresBarrierOptions extends PostgresOptions {
  /** How long after a lost connection the seats may be retaken before they count as lost, in ms; default 10,000. */
  readonly retakeMs?: number
}

const TRIES = 3
const BETWEEN_TRIES_MS = 5
/** How often an idle connection with seats is asked whether it still lives. */
const PROBE_MS = 5_000
const LONGEST_PAUSE_MS = 1_000
const GOODBYE_MS = 1_000

/**
 * Session advisory locks on one connection of their own: while the session lives nobody takes over, and when the process
 * dies the locks go with it.
 *
 * @throws UsageError behind a connection pooler; StoreUnavailable.
 */
export async function openBarrier(options: PostgresBarrierOptions): Promise<Barrier> {
  const barrier = new SessionBarrier(options)
  await barrier.open()
  return barrier
}

/** A class, since it has a connection to lose and seats to keep. */
class SessionBarrier implements Barrier {
  readonly kind = 'session'
  readonly #options: PostgresBarrierOptions
  readonly #schema: string
  /** What this process holds, or is about to: a session would be given its own lock again. */
  readonly #seats = new Map<string, { readonly seat: Seat; held: boolean }>()
  readonly #listeners: ((seat: Seat) => void)[] = []
  readonly #closed = new AbortController()
  #session: BarrierSession | undefined
  /** The backend that may still sit on our locks after its connection was lost. */
  #earlier: Backend | undefined
  #recovery: Promise<void> | undefined
  #probe: NodeJS.Timeout | undefined

  constructor(options: PostgresBarrierOptions) {
    this.#options = options
    this.#schema = quotedSchema(options.schema)
  }

  async open(): Promise<void> {
    try {
      const session = await openSession(this.#options, () => this.#ended())
      this.#session = session
      await ensureSchema(session.client, this.#schema, this.#options.server)
    } catch (error) {
      await this.close()
      throw publicError(this.#options.server, error, askerOf(this.#options))
    }
    this.#probe = setInterval(() => void this.#ask(), PROBE_MS).unref()
  }

  async take(seat: Seat): Promise<'taken' | 'refused'> {
    const id = idOf(seat)
    if (this.#seats.has(id)) return 'refused'
    const entry = { seat, held: false }
    this.#seats.set(id, entry)
    try {
      entry.held = await this.#tryToTake(seat)
    } finally {
      if (!entry.held) this.#seats.delete(id)
    }
    return entry.held ? 'taken' : 'refused'
  }

  async extend(seats: readonly Seat[]): Promise<readonly SeatAnswer[]> {
    return seats.map(() => 'extended')
  }

  async drop(seat: Seat): Promise<void> {
    const id = idOf(seat)
    if (!this.#seats.get(id)?.held) return
    try {
      if (this.#session) await this.#query(dropSeat(this.#schema), this.#values(seat))
    } catch (error) {
      // The lock ends with its session; an earlier backend is terminated before the next one takes anything.
      if (!(error instanceof StoreUnavailable)) throw error
    } finally {
      this.#seats.delete(id)
    }
  }

  onLost(listener: (seat: Seat) => void): void {
    this.#listeners.push(listener)
  }

  async close(): Promise<void> {
    this.#closed.abort()
    clearInterval(this.#probe)
    await this.#recovery
    const session = this.#session
    this.#session = undefined
    this.#seats.clear()
    if (session) await goodbye(session)
  }

  async #tryToTake(seat: Seat): Promise<boolean> {
    for (let tries = 1; ; tries += 1) {
      const [row] = await this.#query(takeSeat(this.#schema), this.#values(seat))
      if (row?.['taken'] === true) return true
      if (tries === TRIES) return false
      await sleep(BETWEEN_TRIES_MS)
    }
  }

  #values(seat: Seat): readonly unknown[] {
    return [this.#options.app, seat.key, seat.slot]
  }

  async #query(sql: string, values: readonly unknown[]): Promise<Record<string, unknown>[]> {
    const session = this.#session
    if (!session) throw new StoreUnavailable(this.#options.server, 'the barrier has lost its connection')
    return await this.#on(session, sql, values)
  }

  /** A statement without an answer may have taken or freed a lock: only the end of the session makes that certain. */
  async #on(session: BarrierSession, sql: string, values: readonly unknown[]): Promise<Record<string, unknown>[]> {
    try {
      return await session.ask(sql, values)
    } catch (error) {
      if (failureOf(error) === 'disconnected') cut(session.client)
      throw publicError(this.#options.server, error, askerOf(this.#options))
    }
  }

  async #ask(): Promise<void> {
    if (this.#session && this.#seats.size > 0) await this.#query('select 1', []).catch(() => {})
  }

  #ended(): void {
    this.#earlier = this.#session?.backend ?? this.#earlier
    this.#session = undefined
    if (!this.#closed.signal.aborted) this.#recovery ??= this.#recover().finally(() => (this.#recovery = undefined))
  }

  /** Reconnects for as long as it takes; what is not retaken in time is told as lost. */
  async #recover(): Promise<void> {
    const { signal } = this.#closed
    const deadline = setTimeout(() => this.#lose(this.#held()), this.#options.retakeMs ?? 10_000).unref()
    try {
      for (let pause = 20; !signal.aborted; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
        if (await this.#reconnect()) return
        await sleep(pause, undefined, { signal, ref: false }).catch(() => {})
      }
    } finally {
      clearTimeout(deadline)
    }
  }

  async #reconnect(): Promise<boolean> {
    let session: BarrierSession | undefined
    try {
      session = await openSession(this.#options, () => this.#ended())
      await this.#retake(session)
      if (this.#closed.signal.aborted) cut(session.client)
      else this.#session = session
      return true
    } catch {
      if (session) cut(session.client)
      return false
    }
  }

  /** Our own earlier backend may not know yet that its client is gone: it is ended first, or it would refuse us. */
  async #retake(session: BarrierSession): Promise<void> {
    if (this.#earlier) await this.#on(session, endBackend, [this.#earlier.pid, this.#earlier.startedAt])
    this.#earlier = session.backend
    const asked = this.#held()
    let missing = asked
    for (let tries = 1; missing.length > 0 && tries <= TRIES; tries += 1) {
      if (tries > 1) await sleep(BETWEEN_TRIES_MS)
      missing = await this.#retakeOnce(session, missing)
    }
    this.#lose(missing)
    await this.#undo(
      session,
      asked.filter((seat) => !missing.includes(seat) && !this.#seats.has(idOf(seat))),
    )
  }

  async #retakeOnce(session: BarrierSession, seats: readonly Seat[]): Promise<Seat[]> {
    const columns = [seats.map((seat) => seat.key), seats.map((seat) => seat.slot)]
    const rows = await this.#on(session, retakeSeats(this.#schema), [this.#options.app, ...columns])
    const taken = new Set(rows.filter((row) => row['taken'] === true).map((row) => Number(row['ord'])))
    return seats.filter((_, at) => !taken.has(at + 1))
  }

  /** Seats that were dropped, or told as lost, while they were being retaken. */
  async #undo(session: BarrierSession, seats: readonly Seat[]): Promise<void> {
    for (const seat of seats) await this.#on(session, dropSeat(this.#schema), this.#values(seat))
  }

  #held(): Seat[] {
    return [...this.#seats.values()].filter((entry) => entry.held).map((entry) => entry.seat)
  }

  #lose(seats: readonly Seat[]): void {
    if (this.#closed.signal.aborted) return
    for (const seat of seats) {
      if (!this.#seats.delete(idOf(seat))) continue
      for (const listener of this.#listeners) listener(seat)
    }
  }
}

function idOf({ key, slot }: Seat): string {
  return `${slot} ${key}`
}

/** A server that does not answer the goodbye ends the session when it sees the connection gone. */
async function goodbye({ client }: BarrierSession): Promise<void> {
  const impatient = setTimeout(() => cut(client), GOODBYE_MS)
  await client.end().catch(() => {})
  clearTimeout(impatient)
}
