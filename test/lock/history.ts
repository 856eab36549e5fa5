import assert from 'node:assert/strict'
import type { EngineState } from '../../src/lock/doubt.js'
import type { HoldTerms, MessageRef, Promotion } from '../../src/lock/hold.js'
import { lockKey } from '../../src/lock/key.js'
import { areRivals, type HolderSet, runSet } from '../../src/lock/mode.js'
import type { FinalOutcome } from '../../src/lock/outcome.js'
import { emptyRecord, type Hold, holdOf, type LockRecord, outcomeKey } from '../../src/lock/record.js'
import type { Claim } from '../../src/lock/renewal.js'
import { acquire } from '../../src/lock/transition/acquire.js'
import { clear } from '../../src/lock/transition/clear.js'
import { confirm } from '../../src/lock/transition/confirm.js'
import { release } from '../../src/lock/transition/release.js'
import { renew } from '../../src/lock/transition/renew.js'
import { requeue } from '../../src/lock/transition/requeue.js'
import { resolve, sweep } from '../../src/lock/transition/resolve.js'
import { revoke } from '../../src/lock/transition/revoke.js'
import { run } from '../../src/lock/transition/run.js'
import { inTurn, type Step, type World } from './history-step.js'

export const transitions = { acquire, clear, confirm, release, renew, requeue, resolve, revoke, run, sweep }

/** The functions under test; a test of the checker breaks one of them on purpose. */
export type Transitions = typeof transitions

const KEY = lockKey('t', '[]')
const LEASE_MS = 100
const LOCK_DELAY_MS = 30
const TIMES = { publishLeaseMs: 50, resultMs: 1_000 }
const TIMEOUT_MS = 300
/** Above every bound there is, retry delays included. */
const ALL_OVER_MS = 10_000

interface Granted {
  readonly messageId: string
  readonly token: number
  readonly claim: Claim
}

/** A grant as its holder may believe in it, with the lock delay after it. */
interface Trust {
  readonly messageId: string
  /** Null where bodies may overlap. */
  readonly slot: number | null
  leaseUntil: number
  until: number
}

/** One key, its clock, and what the world was told about it. Each step asserts what must hold after it. */
export class History {
  readonly #on: Transitions
  readonly #world: World
  #record: LockRecord = emptyRecord(KEY)
  #saved: LockRecord = emptyRecord(KEY)
  #recoverUntil = 0
  readonly #granted: Granted[] = []
  #parked = new Set<string>()
  /** Handed out to be published, or run by a delivery that was there already. */
  readonly #promoted = new Set<string>()
  readonly #outcomes = new Map<string, string>()
  /** What a parked call is to run with, where `keep: 'latest'` changed it. */
  readonly #texts = new Map<string, string>()
  /** By token: runs that nobody has seen the end of. */
  readonly #trusts = new Map<number, Trust>()
  #now = 1_000_000

  constructor(world: World, on: Transitions = transitions) {
    this.#world = world
    this.#on = on
  }

  step(step: Step): void {
    const before = this.#record.holders.filter((hold) => hold.stage !== 'cooling').map((hold) => hold.messageId)
    this.#apply(step)
    const most = Math.max(...this.#world.limits)
    for (const set of ['waiting', 'running'] satisfies HolderSet[]) {
      const holders = this.#record.holders.filter((hold) => areRivals(hold.set, set))
      assert.ok(holders.length <= most, `[P1] ${holders.length} holders ${set}, with limits up to ${most}`)
    }
    this.#checkOutcomes()
    if (step.do !== 'lose') for (const id of before) this.#checkEnded(id)
    assert.ok(this.#record.history.length <= 20)
  }

  /** Lets all time run out while the engine has lost every message: the key must come free. */
  end(): void {
    for (let pass = 0; pass < 40 && this.#record.holders.length + this.#record.parked.length > 0; pass += 1) {
      this.step({ do: 'wait', ms: ALL_OVER_MS })
      this.step({ do: 'sweep', state: 'absent' })
      for (const { messageId } of [...this.#record.holders]) this.#end(messageId, 'revoked')
      this.#checkOutcomes()
    }
    assert.deepEqual([this.#record.holders, this.#record.parked], [[], []], '[P8] every hold ends')
    for (const id of this.#parked) {
      const known = this.#promoted.has(id) || this.#outcomes.has(outcomeKey(refOf(id)))
      assert.ok(known, `[P18] parked call ${id} neither had its turn nor an outcome`)
    }
  }

  #apply(step: Step): void {
    switch (step.do) {
      case 'acquire':
        this.#acquire(step)
        break
      case 'confirm':
        this.#confirm(`m${step.id}`)
        break
      case 'run':
        this.#run(step)
        break
      case 'renew':
        this.#withToken(step.back, (run) => this.#renew(run))
        break
      case 'requeue':
        this.#withToken(step.back, (run) => this.#requeue(run, step))
        break
      case 'release':
        this.#withToken(step.back, (run) => this.#release(run))
        break
      case 'end':
        this.#end(`m${step.id}`, step.outcome)
        break
      case 'sweep':
        this.#sweep(step.state)
        break
      case 'clear':
        this.#clear(step)
        break
      case 'revoke':
        this.#revoke(step)
        break
      case 'wait':
        this.#now += step.ms
        break
      case 'save':
        this.#saved = structuredClone(this.#record)
        break
      case 'lose':
        this.#lose(step.what === 'all' ? emptyRecord(KEY) : structuredClone(this.#saved))
    }
  }

  /** What the world was told is forgotten with it; who has a lease still trusts it. */
  #lose(left: LockRecord): void {
    this.#record = left
    this.#recoverUntil = this.#now + LEASE_MS + LOCK_DELAY_MS
    this.#outcomes.clear()
    for (const [ref, { record }] of left.outcomes) this.#outcomes.set(ref, JSON.stringify(record))
    this.#parked = new Set(left.parked.map((call) => call.messageId))
    for (const { messageId, message } of [...left.parked, ...left.holders]) {
      if (message !== null) this.#texts.set(messageId, message)
    }
  }

  #acquire({ id, whenHeld, expiresInMs }: Step & { do: 'acquire' }): void {
    const ref = refOf(`m${id}`)
    const before = holdOf(this.#record, ref)
    const terms = this.#termsOf(id, expiresInMs === null ? null : this.#now + expiresInMs)
    const request = { ...ref, ...TIMES, terms, whenHeld, message: `text of ${ref.messageId}` }
    const coalescedBefore = this.#outcomes.has(outcomeKey(ref))
    const answer = this.#on.acquire(this.#record, request, this.#now)
    if (answer.outcome === 'parked') this.#parked.add(ref.messageId)
    if (answer.outcome === 'granted' && !before) {
      assert.equal(this.#record.parked.length, 0, '[P18] a newcomer overtook a parked call')
    }
    if (answer.outcome === 'coalesced' && !coalescedBefore && whenHeld.do === 'park' && whenHeld.keep === 'latest') {
      this.#texts.set(answer.into, request.message)
    }
    if (answer.outcome === 'refused' && answer.full) {
      assert.ok(whenHeld.do === 'park' && this.#record.parked.length >= whenHeld.capacity, 'full, with room left')
    }
    // A call that had its turn stands in line again, before the others, where a run that outlived a loss has its place.
    const again = this.#recoverUntil > 0 ? Math.max(...this.#world.limits) : 0
    assert.ok(this.#record.parked.length <= 3 + again, '[P18] more parked calls than any capacity')
  }

  /** Only who was handed a promoted call can have published it. */
  #confirm(messageId: string): void {
    const promoting = holdOf(this.#record, refOf(messageId))?.stage === 'promoting'
    if (!promoting || this.#promoted.has(messageId)) this.#on.confirm(this.#record, refOf(messageId), this.#now)
  }

  #run({ id, owner, slot, whenHeld }: Step & { do: 'run' }): void {
    const ref = refOf(`m${id}`)
    const terms = this.#termsOf(id, null)
    const request = {
      ...ref,
      ...TIMES,
      to: 'running',
      terms,
      owner: `${ref.messageId}-o${owner}`,
      worker: 'w',
      barrier: 'none',
      slot: slot % terms.limit,
      leaseMs: LEASE_MS,
      lockDelayMs: LOCK_DELAY_MS,
      maxDeliveries: 3,
      publishedAt: this.#now - 20,
      whenHeld,
      minRunMs: 0,
    } as const
    const finished = this.#outcomes.has(outcomeKey(ref))
    const answer = this.#on.run(this.#record, request, this.#now, this.#recoverUntil)
    if ('promotion' in answer) this.#offered(answer.promotion)
    // It waits with the engine, in its own place.
    if (answer.outcome === 'recovering') this.#promoted.add(ref.messageId)
    if (answer.outcome !== 'granted') return
    assert.ok(!finished, '[P13] a finished message ran again')
    const seat = runSet(terms.mode) === 'free' ? null : request.slot
    const { round, owner: name, worker, barrier, slot: own, lockDelayMs } = request
    const { token, deliveries, retries } = answer
    const claim = { round, terms, owner: name, worker, barrier, slot: own, lockDelayMs, deliveries, retries }
    this.#hold({ messageId: ref.messageId, token, claim }, seat, answer.expiresAt)
  }

  #hold(run: Granted, slot: number | null, expiresAt: number): void {
    this.#promoted.add(run.messageId)
    assert.ok(expiresAt > this.#now, '[P6] granted a lease that is over')
    if (this.#granted.some((each) => each.token === run.token)) return
    assert.ok(run.token > (this.#granted[0]?.token ?? 0), '[P3] a token did not increase')
    for (const trust of this.#trusts.values()) {
      if (trust.until <= this.#now) continue
      const own = trust.messageId === run.messageId
      assert.ok(!own, '[P6] [P13] granted within an earlier lease of the message or its lock delay')
      assert.ok(slot === null || trust.slot !== slot, '[P6] two runs in one slot')
    }
    this.#granted.unshift(run)
    const { messageId, token } = run
    this.#trusts.set(token, { messageId, slot, leaseUntil: expiresAt, until: expiresAt + LOCK_DELAY_MS })
  }

  #renew(run: Granted): void {
    const { messageId, token, claim } = run
    const lease = { key: KEY, messageId, token, leaseMs: LEASE_MS, limit: 1, label: '', claim }
    const answer = this.#on.renew(this.#record, lease, this.#now, this.#recoverUntil)
    if (answer.outcome !== 'renewed') return
    const trust = this.#trusts.get(run.token)
    assert.ok(trust, '[P4] an ended run was renewed')
    assert.ok(trust.leaseUntil > this.#now, '[P6] a late renewal revived a lease')
    trust.leaseUntil = answer.expiresAt
    trust.until = answer.expiresAt + LOCK_DELAY_MS
  }

  #requeue(run: Granted, { reason, delayMs }: Step & { do: 'requeue' }): void {
    const request = { ...refOf(run.messageId), ...TIMES, to: 'queued', token: run.token, maxDeliveries: 2 } as const
    const answer = this.#on.requeue(this.#record, { ...request, reason, delayMs }, this.#now)
    if ('promotion' in answer) this.#offered(answer.promotion)
    if (answer.outcome === 'queued' || answer.outcome === 'ended') this.#letGo(run.token)
  }

  #release(run: Granted): void {
    const hold = holdOf(this.#record, refOf(run.messageId))
    // Data that went back may tell of an earlier run of the message: what that one was told says nothing to this one.
    const told = hold?.token === run.token ? hold.cancelledHow : null
    const request = { ...refOf(run.messageId), ...TIMES, token: run.token, outcome: 'ran' } as const
    const whole = { ...request, code: null, result: '1', error: null }
    const answer = this.#on.release(this.#record, whole, this.#now, this.#recoverUntil)
    if ('promotion' in answer) this.#offered(answer.promotion)
    if (answer.outcome !== 'released') return
    this.#letGo(run.token)
    if (told) assert.equal(answer.record.outcome, told, 'a run that was told to stop did not end so')
  }

  #end(messageId: string, outcome: FinalOutcome): void {
    const running = holdOf(this.#record, refOf(messageId))?.stage === 'running'
    const before = structuredClone(this.#record)
    const request = { ...refOf(messageId), ...TIMES, token: null, outcome, code: null, result: null, error: null }
    const answer = this.#on.release(this.#record, request, this.#now)
    if ('promotion' in answer) this.#offered(answer.promotion)
    if (running) assert.deepEqual(this.#record, before, '[P4] a run was ended without its token')
  }

  #sweep(state: EngineState): void {
    const { promotions, doubts } = this.#on.sweep(this.#record, this.#now, TIMES, this.#recoverUntil)
    for (const promotion of promotions) this.#offered(promotion)
    const longest = Math.max(TIMEOUT_MS + ALL_OVER_MS, LEASE_MS + LOCK_DELAY_MS)
    for (const hold of this.#record.holders) {
      assert.ok(hold.dueAt > this.#now, `[P8] nobody was told of a ${hold.stage} hold that is over`)
      assert.ok(hold.dueAt <= this.#now + longest, `[P8] a ${hold.stage} hold without a bound`)
    }
    for (const hold of [...this.#record.holders]) this.#miss(hold, state)
    for (const doubt of doubts) {
      const request = { ...TIMES, doubt, state, maxDeliveries: 3 }
      const answer = this.#on.resolve(this.#record, request, this.#now, this.#recoverUntil)
      assert.notEqual(answer.outcome, 'kept', '[P8] a doubt that was just raised was not settled')
      if ('promotion' in answer) this.#offered(answer.promotion)
    }
  }

  /** A look for a queued message: what is with the engine keeps its place, what is not twice ends as purged. */
  #miss({ messageId, stage, missedAt }: Hold, state: EngineState): void {
    if (stage !== 'queued') return
    const doubt = { ...refOf(messageId), stage, token: null, queue: 'default' }
    const request = { ...TIMES, doubt, state, maxDeliveries: 3, missingMs: 40 }
    const answer = this.#on.resolve(this.#record, request, this.#now, this.#recoverUntil)
    const gone = (state === 'absent' || state === 'finished') && missedAt !== null && missedAt + 40 <= this.#now
    assert.equal(answer.outcome, gone ? 'freed' : 'kept', '[P12] a queued message was purged that is not missing')
    if ('promotion' in answer) this.#offered(answer.promotion)
  }

  #clear({ parked, running }: Step & { do: 'clear' }): void {
    const answer = this.#on.clear(
      this.#record,
      { ...TIMES, key: KEY, parked, running, by: 'op' },
      this.#now,
      this.#recoverUntil,
    )
    this.#offered(answer.promotion)
    for (const { token } of answer.freed) {
      if (token === null) continue
      const lives = (this.#trusts.get(token)?.until ?? 0) > this.#now
      assert.ok(running === 'drop' || !lives, '[P9] a living run was freed without force')
      this.#letGo(token)
    }
  }

  #revoke({ id, terminate }: Step & { do: 'revoke' }): void {
    const ref = refOf(`m${id}`)
    const finished = this.#outcomes.has(outcomeKey(ref))
    const running = holdOf(this.#record, ref)?.stage === 'running'
    const before = structuredClone(this.#record)
    const answer = this.#on.revoke(this.#record, { ...ref, ...TIMES, terminate, by: 'op' }, this.#now)
    if ('promotion' in answer) this.#offered(answer.promotion)
    if (finished || (running && !terminate)) assert.deepEqual(this.#record, before, 'nothing to revoke, yet changed')
    if (running && terminate) assert.equal(answer.outcome, 'cancelled', '[P9] a living run was ended unseen')
    if (!running && !finished) assert.equal(answer.outcome, 'revoked')
  }

  /** A token that is not a present run's must change nothing at all. */
  #withToken(back: number, act: (run: Granted) => void): void {
    const run = this.#granted[back]
    if (!run) return
    // While the store recovers it takes a holder at its word: one that ended, or trusts no more, does not give it.
    const recovers = this.#recoverUntil > this.#now
    if (recovers && (this.#trusts.get(run.token)?.leaseUntil ?? 0) <= this.#now) return
    const runs = this.#record.holders.some((hold) => hold.stage === 'running' && hold.token === run.token)
    const before = runs || recovers ? undefined : structuredClone(this.#record)
    act(run)
    if (before) assert.deepEqual(this.#record, before, '[P4] a stale token changed the record')
  }

  #letGo(token: number): void {
    this.#trusts.delete(token)
  }

  #offered(promotion: Promotion | null): void {
    if (!promotion) return
    assert.equal(promotion.message, this.#texts.get(promotion.messageId) ?? `text of ${promotion.messageId}`)
    this.#promoted.add(promotion.messageId)
  }

  #checkOutcomes(): void {
    for (const [ref, { record }] of this.#record.outcomes) {
      const text = JSON.stringify(record)
      assert.equal(this.#outcomes.get(ref) ?? text, text, '[P10] a second outcome of one message')
      this.#outcomes.set(ref, text)
    }
    assert.equal(this.#record.outcomes.size, this.#outcomes.size, '[P10] an outcome was lost')
    const holders = this.#record.holders.filter((hold) => hold.stage !== 'cooling')
    for (const hold of [...holders, ...this.#record.parked]) {
      assert.ok(!this.#outcomes.has(outcomeKey(hold)), '[P10] a finished message still holds or waits')
    }
  }

  #checkEnded(id: string): void {
    if (holdOf(this.#record, refOf(id)) || this.#outcomes.has(outcomeKey(refOf(id)))) return
    if (this.#record.parked.some((call) => call.messageId === id) && this.#recoverUntil > this.#now) return
    const told = this.#record.history.some((event) => event.messageId === id && event.at === this.#now)
    assert.ok(told, `[P12] the hold of ${id} ended and nothing tells of it`)
  }

  #termsOf(id: number, expiresAt: number | null): HoldTerms {
    return {
      task: 't',
      label: 't()',
      queue: 'default',
      limit: inTurn(this.#world.limits, id),
      mode: inTurn(this.#world.modes, id),
      timeoutMs: TIMEOUT_MS,
      guarded: true,
      notBefore: null,
      expiresAt,
    }
  }
}

function refOf(messageId: string): MessageRef {
  return { key: KEY, messageId, round: 1 }
}
