import assert from 'node:assert/strict'
import { scriptOn } from '../../adapters/redis/argument.js'
import { type Connection, NodeConnection } from '../../adapters/redis/connection.js'
import { openLockStore } from '../../adapters/redis/index.js'
import { CONFIRM } from '../../adapters/redis/scripts/confirm.js'
import { shardOf } from '../../adapters/redis/shard.js'
import type { Doubt } from '../../src/lock/doubt.js'
import { findOutcome, lastOutcome } from '../../src/lock/ending.js'
import type { HoldTerms } from '../../src/lock/hold.js'
import type { LockStore } from '../../src/lock/lock-store.js'
import type { MessageView } from '../../src/lock/lock-view.js'
import type { RunAnswer } from '../../src/lock/message-step.js'
import { MODES, type Mode } from '../../src/lock/mode.js'
import type { DeliveryInstruction, Instruction } from '../../src/lock/overlap.js'
import { emptyRecord, type LockRecord } from '../../src/lock/record.js'
import type { Claim } from '../../src/lock/renewal.js'
import { acquire } from '../../src/lock/transition/acquire.js'
import { clear } from '../../src/lock/transition/clear.js'
import { confirm } from '../../src/lock/transition/confirm.js'
import { release } from '../../src/lock/transition/release.js'
import { renew } from '../../src/lock/transition/renew.js'
import { reopen } from '../../src/lock/transition/reopen.js'
import { requeue } from '../../src/lock/transition/requeue.js'
import { resolve, sweep } from '../../src/lock/transition/resolve.js'
import { revoke } from '../../src/lock/transition/revoke.js'
import { run } from '../../src/lock/transition/run.js'
import {
  acquiring,
  KEY,
  refTo,
  releasing,
  renewal,
  requeueStep,
  runStep,
  termsOf,
} from '../contract/lock-store/scene.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'

const LIVES = 90
const STEPS = 80
const IDS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'] as const

/** One key's life in both, step by step at the very same instants: the server's. */
interface Twins {
  readonly store: LockStore
  readonly connection: Connection
  readonly app: string
  record: LockRecord
  readonly doubts: Doubt[]
  /** Runs that were granted, the latest last: what their holders know of them though the server may not. */
  readonly granted: { readonly id: string; readonly round: number; readonly token: number; readonly claim: Claim }[]
  /** What most calls of this life ask for; some come with other terms, as after a deploy. */
  readonly usual: Pick<HoldTerms, 'limit' | 'mode'>
  now: number
}

describe('the scripts of Redis and the pure model', () => {
  let server: RedisServer
  before(async () => {
    server = await startRedis({ extra: ['--maxmemory', '1gb'] })
  })
  after(() => server.stop())

  it('answer and keep the same, over thousands of random steps', async function () {
    this.timeout(120_000)
    const connection = new NodeConnection({ url: server.url, server: 'here' })
    await connection.open()
    try {
      for (let life = 0; life < LIVES; life += 1) await live(life)
    } finally {
      await connection.close()
    }

    async function live(seed: number): Promise<void> {
      const app = `life-${seed}`
      const store = await openLockStore({ app, url: server.url, server: 'here' })
      const random = randomFrom(seed)
      const usual = { limit: 1 + (seed % 3), mode: MODES[seed % MODES.length] as Mode }
      const twins: Twins = { store, connection, app, record: emptyRecord(KEY), doubts: [], granted: [], usual, now: 0 }
      try {
        for (let step = 0; step < STEPS; step += 1) await oneStep(twins, random, `seed ${seed}, step ${step}`)
      } finally {
        await store.destroy()
        await store.close()
      }
    }
  })
})

type Random = (below: number) => number

async function oneStep(twins: Twins, random: Random, where: string): Promise<void> {
  const steps = [acquires, acquires, acquires, runs, runs, runs, runs, confirms, releases, releases, requeues, renews]
  const rare = [...(random(3) === 0 ? [clears] : []), ...(random(2) === 0 ? [loses] : [])]
  const verbs = [...steps, sweeps, resolves, revokes, reopens, ...rare]
  const verb = pick(random, verbs)
  const [server, model] = await verb(twins, random)
  assert.deepEqual(server, model, `${where}: ${verb.name}`)
  await assertSameState(twins, `${where}: after ${verb.name}`)
  if (random(4) === 0) await assertSameFind(twins, idOf(random), `${where}: find after ${verb.name}`)
}

type Answers = Promise<readonly [server: unknown, model: unknown]>

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random(from.length)] as T
}

function idOf(random: Random): string {
  return pick(random, IDS)
}

/** Often a run in force with its token, sometimes one that is not, or with another token, or another message. */
function runOf({ record, granted }: Twins, random: Random): { id: string; round: number; token: number } {
  const known = granted[granted.length - 1 - random(3)]
  if (known && random(3) === 0) return known
  const runs = record.holders.filter((hold) => hold.token !== null)
  const own = runs[random(runs.length)]
  if (!own || random(4) === 0) return { id: idOf(random), round: 1 + random(2), token: own?.token ?? 7 }
  const token = (own.token as number) + (random(6) === 0 ? random(3) - 1 : 0)
  return { id: own.messageId, round: own.round, token }
}

function termsAt({ now, usual }: Twins, random: Random): HoldTerms {
  const { limit, mode } = random(4) > 0 ? usual : { limit: 1 + random(3), mode: pick(random, MODES) }
  const notBefore = random(5) === 0 ? now + random(6) : null
  const expiresAt = random(4) === 0 ? now + random(20) : null
  return termsOf({ limit, mode, timeoutMs: random(40), notBefore, expiresAt })
}

function instructionAt(random: Random): Instruction {
  const keep = pick(random, ['first', 'latest', 'all'] as const)
  return pick<Instruction>(random, [
    { do: 'refuse' },
    { do: 'park', capacity: 1 + random(3), keep },
    { do: 'park', capacity: 1 + random(3), keep },
    { do: 'replace', minRunMs: random(2) * random(6) },
    { do: 'pass' },
  ])
}

async function acquires(twins: Twins, random: Random): Answers {
  const id = idOf(random)
  const times = { publishLeaseMs: random(8), resultMs: 60_000, round: 1 + random(2) }
  const message = `${id} at ${random(1_000)}`
  const terms = termsAt(twins, random)
  const request = acquiring(id, { whenHeld: instructionAt(random), terms, message, ...times })
  const answer = await twins.store.acquire(request)
  return [answer, acquire(twins.record, request, answer.now)]
}

async function runs(twins: Twins, random: Random): Answers {
  const whenHeld = pick<DeliveryInstruction>(random, ['coalesce', 'skip', 'wait', 'replace'])
  const terms = termsAt(twins, random)
  const times = {
    leaseMs: random(12),
    lockDelayMs: random(3),
    publishLeaseMs: random(4),
    publishedAt: random(2) * twins.now,
  }
  const policy = { terms, whenHeld, minRunMs: random(2) * random(6), maxDeliveries: 2, slot: random(terms.limit) }
  const step = runStep(idOf(random), { owner: `o${random(3)}`, ...policy, ...times, round: 1 + random(2) })
  const answer = await twins.store.advance(step)
  const expected = run(twins.record, step, answer.now, await recoverUntilOf(twins))
  if (answer.outcome !== 'granted' || expected.outcome !== 'granted') return [answer, expected]
  adoptToken(twins, answer, expected.token)
  const { owner, worker, barrier, slot, lockDelayMs } = step
  const { token, deliveries, retries } = answer
  const claim = { round: step.round, terms, owner, worker, barrier, slot, lockDelayMs, deliveries, retries }
  twins.granted.push({ id: step.messageId, round: step.round, token, claim })
  return [answer, { ...expected, token: answer.token }]
}

/** As the server has it, whose step has just looked. */
async function recoverUntilOf({ connection, app }: Twins): Promise<number> {
  const epoch = await connection.ask({ command: 'GET', args: [`${shardOf('lock', app, KEY).base}epoch`] })
  const [, , lostAt = 0, graceMs = 0] = String(epoch ?? '')
    .split(':')
    .map(Number)
  return lostAt === 0 ? 0 : lostAt + graceMs
}

/** All data of the app go, behind the back of its client. */
async function loses(twins: Twins): Answers {
  const { app, connection } = twins
  const { base } = shardOf('lock', app, KEY)
  const found = (await connection.ask({ command: 'KEYS', args: [`${base}*`] })) as string[]
  if (found.length > 0) await connection.ask({ command: 'DEL', args: found })
  twins.record = emptyRecord(KEY)
  twins.doubts.splice(0)
  return [undefined, undefined]
}

/** The server counts microseconds, the model milliseconds: a token the server minted becomes the model's. */
function adoptToken({ record }: Twins, { token }: RunAnswer & { outcome: 'granted' }, minted: number): void {
  const others = record.holders.filter((hold) => hold.token !== minted)
  if (minted === token) return
  for (const hold of record.holders) if (hold.token === minted) hold.token = token
  for (const hold of others) assert.ok((hold.token ?? 0) < token, 'a new token is the highest')
  record.lastToken = token
}

async function confirms({ connection, app, record }: Twins, random: Random): Answers {
  const ref = refTo(idOf(random))
  const now = await connection.ask(
    scriptOn(shardOf('lock', app, KEY), app, CONFIRM, [ref.key, ref.messageId, ref.round]),
  )
  confirm(record, ref, Number(now))
  return [undefined, undefined]
}

async function releases(twins: Twins, random: Random): Answers {
  const { id, round, token } = runOf(twins, random)
  const publishLeaseMs = random(4)
  const request =
    random(3) === 0
      ? releasing(idOf(random), null, { publishLeaseMs, round: 1 + random(2) })
      : releasing(id, token, { publishLeaseMs, round })
  const answer = await twins.store.release(request)
  return [answer, release(twins.record, request, answer.now, await recoverUntilOf(twins))]
}

async function requeues(twins: Twins, random: Random): Answers {
  const reason = (['retry', 'redelivery', 'unstarted'] as const)[random(3)] as 'retry'
  const { id, round, token } = runOf(twins, random)
  const step = requeueStep(id, token, { reason, delayMs: random(5), maxDeliveries: 2, round })
  const answer = await twins.store.advance(step)
  return [answer, requeue(twins.record, step, answer.now)]
}

async function renews(twins: Twins, random: Random): Answers {
  const { id, token } = runOf(twins, random)
  const claim = twins.granted.find((each) => each.id === id && each.token === token)?.claim
  const lease = { ...renewal(id, token), leaseMs: random(8), ...(claim && random(8) > 0 ? { claim } : {}) }
  const { leases, now } = await twins.store.renew({ worker: null, leases: [lease], acked: [] })
  return [leases[0], renew(twins.record, lease, now, await recoverUntilOf(twins))]
}

async function sweeps(twins: Twins, random: Random): Answers {
  const times = { publishLeaseMs: 1 + random(4), resultMs: 60_000 }
  const { now, recoveringMs, ...found } = await twins.store.sweep({ limit: 10, ...times })
  const until = await recoverUntilOf(twins)
  if (recoveringMs !== undefined) assert.ok(until > 0, 'a sweep tells of a loss that is none')
  twins.doubts.push(...found.doubts)
  // The store looks at a key when it is due and not before.
  const due = twins.record.holders.some((hold) => hold.dueAt <= now)
  return [found, due ? sweep(twins.record, now, times, until) : { promotions: [], doubts: [] }]
}

async function resolves(twins: Twins, random: Random): Answers {
  const state = (['waiting', 'active', 'absent', 'finished'] as const)[random(4)] ?? 'absent'
  const waits = pick(random, [undefined, ...twins.record.holders.filter((hold) => hold.stage === 'queued')])
  const queued = waits && ({ ...refTo(waits.messageId), round: waits.round, stage: 'queued', token: null } as const)
  const doubt = queued ? { ...queued, queue: 'default' } : twins.doubts[random(twins.doubts.length)]
  if (!doubt) return [undefined, undefined]
  const times = { missingMs: random(6), publishLeaseMs: random(4), resultMs: 60_000 }
  const request = { doubt, state, maxDeliveries: 2, ...times }
  const answer = await twins.store.resolve(request)
  return [answer, resolve(twins.record, request, answer.now, await recoverUntilOf(twins))]
}

async function clears(twins: Twins, random: Random): Answers {
  const { store, record } = twins
  const running = (['keep', 'cancel', 'drop'] as const)[random(3)] ?? 'keep'
  const times = { publishLeaseMs: random(4), resultMs: 60_000 }
  const request = { key: KEY, parked: random(2) === 0, running, by: 'ada', ...times }
  const answer = await store.clear(request)
  return [answer, clear(record, request, answer.now, await recoverUntilOf(twins))]
}

async function revokes({ store, record }: Twins, random: Random): Answers {
  const messageId = idOf(random)
  const times = { publishLeaseMs: random(4), resultMs: 60_000 }
  const request = { ...refTo(messageId), round: 1 + random(2), terminate: random(2) === 0, by: 'bob', ...times }
  const key = random(2) === 0 ? KEY : null
  const known = expectedFind(record, messageId) !== null
  const answer = await store.revoke({ ...request, key })
  if (key === null && !known) return [answer, { outcome: 'unknown', now: answer.now }]
  return [answer, revoke(record, request, answer.now)]
}

async function reopens({ store, record }: Twins, random: Random): Answers {
  const ref = { ...refTo(idOf(random)), round: 1 + random(2) }
  return [await store.reopen(ref), reopen(record, ref)]
}

async function assertSameFind({ store, record }: Twins, messageId: string, where: string): Promise<void> {
  const nothing = { outcome: null, hold: null, parked: false }
  for (const key of [KEY, null]) {
    const { now, ...found } = await store.find(messageId, key)
    assert.deepEqual(found, { key, ...nothing, ...expectedFind(record, messageId) }, where)
  }
}

function expectedFind(record: LockRecord, messageId: string): Omit<MessageView, 'now'> | null {
  const hold = record.holders.find((each) => each.messageId === messageId && each.stage !== 'cooling')
  const parked = record.parked.some((call) => call.messageId === messageId)
  const ended = hold || parked ? undefined : lastOutcome(record, messageId)
  if (!hold && !parked && !ended) return null
  const outcome = ended && !ended.reopened ? ended.record : null
  const held = hold ? { stage: hold.stage, retries: hold.retries, worker: hold.worker } : null
  return { key: KEY, outcome, hold: held, parked }
}

async function assertSameState(twins: Twins, where: string): Promise<void> {
  const { store, record } = twins
  const view = await store.show(KEY)
  twins.now = await store.now()
  const holders = record.holders.map((hold) => ({
    holder: hold.messageId,
    stage: hold.stage,
    expiresAt: hold.expiresAt,
    acquiredAt: hold.acquiredAt,
    worker: hold.worker,
    cancelledBy: hold.cancelledBy,
    cancelledHow: hold.cancelledHow,
    limit: hold.terms.limit,
    token: hold.stage === 'running' ? hold.token : null,
    parked: record.parked.length,
  }))
  const shown = (view?.rows ?? []).map((row) => {
    const { holder, stage, expiresAt, acquiredAt, worker, cancelledBy, cancelledHow, limit, token, parked } = row
    return { holder, stage, expiresAt, acquiredAt, worker, cancelledBy, cancelledHow, limit, token, parked }
  })
  assert.deepEqual(shown, holders, where)
  assert.deepEqual(
    (view?.parked ?? []).map((call) => call.id),
    record.parked.map((call) => call.messageId),
    where,
  )
  assert.deepEqual(view?.history ?? [], [...record.history].reverse(), where)
  assert.equal(view?.outcomes.length ?? 0, record.outcomes.size, where)
  for (const outcome of view?.outcomes ?? []) assert.deepEqual(outcome, findOutcome(record, outcome), where)
}

/** The same numbers for the same seed (mulberry32). */
function randomFrom(seed: number): Random {
  let state = seed * 0x9e3779b9
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return below === 0 ? 0 : ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}
