import type { Barrier } from './barrier.js'
import type { MessageRef } from './hold.js'
import type { LockKey } from './key.js'
import type { LockStore } from './lock-store.js'
import type { Claim, RenewAnswer, Renewal, RenewBatch } from './renewal.js'
import { askSeats, both, type SeatedAnswer } from './seat-renewal.js'
import { monotonicNs, msToNs, msUntil, trustDeadlineNs, trustMarginMs } from './trust.js'
import type { WorkerRow } from './worker-row.js'

/** A running lease to be kept. `runId` names the run: tokens are unique within their key only. */
export interface HeldLease {
  readonly runId: string
  readonly key: LockKey
  readonly messageId: string
  readonly token: number
  readonly limit: number
  readonly label: string
  /** Monotonic ns just before the grant was asked for, or its seat of the barrier, whichever was first. */
  readonly sentAtNs: bigint
  /** What makes the hold anew where the store loses its data. */
  readonly claim?: Claim
  /** Its seat of the key, to be kept as well where there is a barrier whose seats have leases. */
  readonly seat?: number | undefined
}

/** Why a lease is gone: as the store answered, or the barrier; its trust ran out unrenewed, or what renews it has died. */
export type LossReason = 'ended' | 'taken' | 'cancelled' | 'barrier' | 'deadline' | 'keeper'

export interface Loss {
  readonly runId: string
  readonly messageId: string
  readonly token: number
  readonly reason: LossReason
}

export interface LeaseEvents {
  /** Until when the lease is trusted from now on; earlier than before only when a clock jumped. */
  deadline(runId: string, deadlineNs: bigint): void
  /** Once a lease. It is renewed no more; its deadline stands. */
  lost(loss: Loss): void
  /** The deadline of a lease passed: nothing may act on it any more. Comes after `lost`. */
  passed(runId: string): void
  /** A renewal failed and will be tried again. */
  trouble(error: Error): void
  /** Wall time ran ahead of monotonic time by this much: the machine slept. */
  jumped(aheadMs: number): void
}

export interface LeaseKeeperOptions {
  readonly store: Pick<LockStore, 'renew'>
  /** Whose seats are prolonged along with their leases. A lease is trusted until the sooner of both ends. */
  readonly barrier?: Pick<Barrier, 'extend'> | undefined
  readonly leaseMs: number
  readonly events: LeaseEvents
  /** For tests: the two clocks. */
  readonly clock?: { monotonicNs(): bigint; wallMs(): number }
}

interface Held extends HeldLease {
  deadlineNs: bigint
  lost: LossReason | null
}

const HEARTBEAT_MS = 5000
const ACK_BATCH = 1000
const ACK_LIMIT = 100_000
const JUMP_MS = 1000
const CLOCK_CHECK_MS = 1000

/**
 * Renews all leases of one process, its worker row and its acknowledgements in one request each third of the lease.
 *
 * At most one request is under way; one that is not answered within a third of the lease counts as failed. A failed or
 * busy renewal changes no deadline and is repeated sooner. Trust that ran out never comes back, whatever is answered.
 */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions
  readonly #clock: { monotonicNs(): bigint; wallMs(): number }
  readonly #held = new Map<string, Held>()
  readonly #acked: MessageRef[] = []
  #worker: WorkerRow | null = null
  #roundTimer: NodeJS.Timeout | undefined
  #deadlineTimer: NodeJS.Timeout | undefined
  readonly #clockTimer: NodeJS.Timeout
  #round: Promise<void> = Promise.resolve()
  #underWay = false
  #urgent = false
  #stopped = false
  #aheadMs: number
  /** Raised by each jump: what was asked before one says nothing about the time after it. */
  #era = 0

  constructor(options: LeaseKeeperOptions) {
    this.#options = options
    this.#clock = options.clock ?? { monotonicNs, wallMs: Date.now }
    this.#aheadMs = this.#wallAheadMs()
    this.#clockTimer = setInterval(() => this.#checkClock(), CLOCK_CHECK_MS).unref()
    this.#schedule(this.#intervalMs())
  }

  /** Answers until when the lease is trusted before its first renewal. */
  add(lease: HeldLease): bigint {
    const deadlineNs = trustDeadlineNs(lease.sentAtNs, this.#options.leaseMs)
    this.#held.set(lease.runId, { ...lease, deadlineNs, lost: null })
    this.#watchDeadlines()
    return deadlineNs
  }

  drop(runId: string): void {
    if (this.#held.delete(runId)) this.#watchDeadlines()
  }

  /** To be noted with the next batch; forgotten when far too many wait, since it only saves the store some room. */
  acked(ref: MessageRef): void {
    if (this.#acked.length < ACK_LIMIT) this.#acked.push(ref)
    if (this.#acked.length === ACK_BATCH) this.renewNow()
  }

  /** The row to write with each batch, from now on. */
  updateWorker(row: WorkerRow | null): void {
    this.#worker = row
    this.renewNow()
  }

  /** Until when this run's lease is trusted; undefined for one that is not held. */
  deadlineNs(runId: string): bigint | undefined {
    return this.#held.get(runId)?.deadlineNs
  }

  /** Why this run's lease is gone; undefined while it is not, and for one that is not held. */
  lossOf(runId: string): LossReason | undefined {
    return this.#held.get(runId)?.lost ?? undefined
  }

  /** Asks for a batch at once, or right after the one under way. */
  renewNow(): void {
    if (this.#underWay) this.#urgent = true
    else this.#schedule(0)
  }

  /** Renews no more; acknowledgements that still wait are noted, if the store answers in time. */
  async close(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    clearInterval(this.#clockTimer)
    clearTimeout(this.#roundTimer)
    clearTimeout(this.#deadlineTimer)
    await this.#round
    while (this.#acked.length > 0) {
      const acked = this.#acked.splice(0, ACK_BATCH)
      if (!(await this.#ask({ worker: null, leases: [], acked }))) return
    }
  }

  #intervalMs(): number {
    const third = this.#options.leaseMs / 3
    return this.#worker ? Math.min(third, HEARTBEAT_MS) : third
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return
    clearTimeout(this.#roundTimer)
    this.#roundTimer = setTimeout(() => {
      this.#round = this.#runRound()
    }, delayMs).unref()
  }

  async #runRound(): Promise<void> {
    this.#underWay = true
    const startedNs = this.#clock.monotonicNs()
    const done = await this.#renewAll()
    const soon = this.#urgent || this.#acked.length >= ACK_BATCH
    this.#underWay = false
    this.#urgent = false
    if (done === 'again') this.#schedule(Math.min(1000, this.#options.leaseMs / 15))
    // Counted from the start of the round: a slow answer must not push the next renewal towards the deadline.
    else this.#schedule(soon ? 0 : msUntil(startedNs + msToNs(this.#intervalMs()), this.#clock.monotonicNs()))
  }

  async #renewAll(): Promise<'done' | 'again'> {
    this.#checkClock()
    this.#urgent = false
    const held = [...this.#held.values()].filter((each) => !each.lost)
    const acked = this.#acked.slice(0, ACK_BATCH)
    if (!this.#worker && held.length + acked.length === 0) return 'done'
    const asked = { sentAtNs: this.#clock.monotonicNs(), era: this.#era }
    const leases = held.map((lease) => renewalOf(lease, this.#options.leaseMs))
    const worker = this.#worker && { ...this.#worker, running: held.length }
    const { barrier } = this.#options
    const [answer, seats] = await Promise.all([
      this.#ask({ worker, leases, acked }),
      barrier && askSeats(barrier, held, (asking) => this.#answered(asking)),
    ])
    if (answer) this.#acked.splice(0, acked.length)
    this.#checkClock()
    const answers = held.map((lease, index) => both(answer?.leases[index], seats?.get(lease)))
    for (const [index, lease] of held.entries()) this.#take(lease, answers[index] ?? { outcome: 'busy' }, asked)
    this.#watchDeadlines()
    return !answer || answers.some(({ outcome }) => outcome === 'busy') ? 'again' : 'done'
  }

  #take(lease: Held, answer: SeatedAnswer, asked: { sentAtNs: bigint; era: number }): void {
    if (this.#held.get(lease.runId) !== lease || lease.lost || answer.outcome === 'busy') return
    if (answer.outcome === 'lost') this.#lose(lease, answer.reason)
    else if (asked.era !== this.#era) return
    else if (this.#clock.monotonicNs() >= lease.deadlineNs) this.#pass(lease)
    else this.#setDeadline(lease, trustDeadlineNs(asked.sentAtNs, this.#options.leaseMs))
  }

  #ask(batch: RenewBatch): Promise<RenewAnswer | undefined> {
    return this.#answered(() => this.#options.store.renew(batch))
  }

  /** Undefined where who was asked failed or stayed silent; a late answer is not listened to. */
  async #answered<T>(asking: () => Promise<T>): Promise<T | undefined> {
    const boundMs = this.#options.leaseMs / 3
    let timer: NodeJS.Timeout | undefined
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer to a renewal within ${Math.round(boundMs)} ms`)), boundMs)
      timer.unref()
    })
    try {
      return await Promise.race([asking(), silence])
    } catch (error) {
      this.#options.events.trouble(error instanceof Error ? error : new Error(String(error)))
      return undefined
    } finally {
      clearTimeout(timer)
    }
  }

  #setDeadline(lease: Held, deadlineNs: bigint): void {
    lease.deadlineNs = deadlineNs
    this.#options.events.deadline(lease.runId, deadlineNs)
  }

  #lose(lease: Held, reason: LossReason): void {
    lease.lost = reason
    const { runId, messageId, token } = lease
    this.#options.events.lost({ runId, messageId, token, reason })
  }

  #pass(lease: Held): void {
    this.#held.delete(lease.runId)
    if (!lease.lost) this.#lose(lease, 'deadline')
    this.#options.events.passed(lease.runId)
  }

  /** One timer for the nearest deadline. */
  #watchDeadlines(): void {
    clearTimeout(this.#deadlineTimer)
    if (this.#stopped || this.#held.size === 0) return
    let nearest: bigint | undefined
    for (const { deadlineNs } of this.#held.values()) {
      if (nearest === undefined || deadlineNs < nearest) nearest = deadlineNs
    }
    const delayMs = msUntil(nearest ?? 0n, this.#clock.monotonicNs())
    this.#deadlineTimer = setTimeout(() => this.#passDeadlines(), delayMs).unref()
  }

  #passDeadlines(): void {
    const now = this.#clock.monotonicNs()
    for (const lease of [...this.#held.values()]) if (lease.deadlineNs <= now) this.#pass(lease)
    this.#watchDeadlines()
  }

  #wallAheadMs(): number {
    return this.#clock.wallMs() - Number(this.#clock.monotonicNs()) / 1e6
  }

  /** While a machine sleeps the monotonic clock stands still but leases run out: trust shrinks to the margin. */
  #checkClock(): void {
    const before = this.#aheadMs
    this.#aheadMs = this.#wallAheadMs()
    const jumpMs = this.#aheadMs - before
    if (jumpMs <= JUMP_MS || this.#stopped) return
    this.#era += 1
    const latest = this.#clock.monotonicNs() + msToNs(trustMarginMs(this.#options.leaseMs))
    for (const lease of this.#held.values()) if (lease.deadlineNs > latest) this.#setDeadline(lease, latest)
    this.#watchDeadlines()
    this.#options.events.jumped(jumpMs)
    this.renewNow()
  }
}

function renewalOf(lease: HeldLease, leaseMs: number): Renewal {
  const { key, messageId, token, limit, label, claim } = lease
  return { key, messageId, token, limit, label, leaseMs, ...(claim ? { claim } : {}) }
}
