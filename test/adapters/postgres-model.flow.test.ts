import assert from 'node:assert/strict'
import { Client } from 'pg'
import { viewMessage, viewRecord } from '../../adapters/memory/lock-view.js'
import { openLockStore } from '../../adapters/postgres/index.js'
import type { HoldTerms } from '../../src/lock/hold.js'
import type { LockStore } from '../../src/lock/lock-store.js'
import type { RunStep } from '../../src/lock/message-step.js'
import { MODES, type Mode } from '../../src/lock/mode.js'
import type { Instruction } from '../../src/lock/overlap.js'
import { emptyRecord, type LockRecord } from '../../src/lock/record.js'
import { acquire } from '../../src/lock/transition/acquire.js'
import { clear } from '../../src/lock/transition/clear.js'
import { confirm } from '../../src/lock/transition/confirm.js'
import { release } from '../../src/lock/transition/release.js'
import { acknowledge, renew } from '../../src/lock/transition/renew.js'
import { reopen } from '../../src/lock/transition/reopen.js'
import { requeue } from '../../src/lock/transition/requeue.js'
import { resolve, sweep } from '../../src/lock/transition/resolve.js'
import { revoke } from '../../src/lock/transition/revoke.js'
import { run } from '../../src/lock/transition/run.js'
import {
  acquiring,
  KEY,
  PUBLISH_LEASE_MS,
  RESULT_MS,
  releasing,
  renewal,
  requeueStep,
  runStep,
  termsOf,
} from '../contract/lock-store/scene.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { freshOptions } from './postgres-bench.js'

const STORIES = 90
const STEPS = 55
const TIMES = { publishLeaseMs: PUBLISH_LEASE_MS, resultMs: RESULT_MS, maxDeliveries: 3 }

const ENDS = [
  ...[
    'acquire granted',
    'acquire repeated',
    'acquire parked',
    'acquire coalesced',
    'acquire refused',
    'acquire full',
    'acquire in doubt',
    'acquire EXPIRED',
    'acquire granted replaced',
    'acquire parked replaced',
  ],
  ...['run granted', 'run early', 'run refused', 'run ended', 'run finished', 'run MAX_DELIVERIES', 'run slotTaken'],
  ...['run granted promotion'],
  ...['requeue queued', 'requeue CLEARED', 'requeue REPLACED', 'requeue REVOKED', 'requeue MAX_DELIVERIES'],
  ...['requeue stale', 'requeue finished'],
  ...['release released', 'release finished', 'release stale', 'release CLEARED', 'release REPLACED'],
  ...['resolve queued', 'resolve freed', 'resolve kept', 'look PURGED'],
  ...['revoke REVOKED', 'revoke running', 'revoke cancelled', 'revoke finished', 'revoke unknown'],
  ...[
    'state cooling',
    'state all',
    'state waiting',
    'state running',
    'state free',
    'state lapsed',
    'state unpublished',
  ],
]

/** One verb on the store, and the same on the pure model at the same instant. */
interface Step {
  readonly name: string
  store(store: LockStore): Promise<unknown>
  model(record: LockRecord, now: number): unknown
}

describe('the Postgres functions', () => {
  let server: PostgresServer
  let admin: Client
  before(async () => {
    server = await startPostgres()
    admin = new Client(server.connection)
    await admin.connect()
    await (await openLockStore(freshOptions(server))).close()
    // The one clock of every function, moved by hand.
    await admin.query(`create table hand_clock (now bigint); insert into hand_clock values (0);
      create or replace function beatlock.clock_v1() returns bigint language sql volatile as 'select now from hand_clock'`)
  })
  after(async () => {
    await admin.end()
    await server.remove()
  })

  it('answer and keep what the pure model does, over thousands of random steps', async () => {
    const reached = new Set<string>()
    for (let seed = 1; seed <= STORIES; seed += 1) await story(seed, reached)
    const missed = ENDS.filter((end) => !reached.has(end))
    assert.deepEqual(missed, [], 'the stories reach every kind of answer')
  }).timeout(240_000)

  async function story(seed: number, reached: Set<string>): Promise<void> {
    const options = freshOptions(server, { poolSize: 1 })
    const store = await openLockStore(options)
    const record = emptyRecord(KEY)
    const pick = pickFrom(random(seed))
    const runs: Run[] = [{ messageId: 'a', round: 1, token: 1 }]
    const told: string[] = []
    let now = 1_000_000
    const taste = tasteOf(pick)
    for (let at = 0; at < STEPS; at += 1) {
      now += pick([0, 1, 50, 150, 400])
      await admin.query('update hand_clock set now = $1', [now])
      const step = looked(seed, at, record) ?? nextStep(pick, record, runs, taste)
      told.push(`${now} ${step.name}`)
      const story = `seed ${seed}:\n${told.join('\n')}`
      const expected = step.model(record, now)
      assert.deepEqual(plain(await step.store(store)), plain(expected), story)
      const view = viewRecord({ app: options.app, record, now })
      assert.deepEqual(inAnyOrder(await store.show(KEY)), inAnyOrder(view), story)
      // Of one message in several rounds at a time, which real engines do not have, it is open which is told.
      const messageId = pick(IDS)
      if (callsOf(record, messageId) < 2 && pick([true, false])) {
        const message = viewMessage(new Map([[KEY, record]]), { messageId, key: KEY, now })
        assert.deepEqual(plain(await store.find(messageId, KEY)), plain(message), `find ${messageId}, ${story}`)
      }
      const answer = (expected ?? {}) as Told
      const run = record.holders.find((hold) => hold.token === answer.token)
      if (run) runs.push({ messageId: run.messageId, round: run.round, token: run.token })
      for (const end of endsOf(step.name.split(' ', 1)[0] ?? '', answer)) reached.add(end)
      for (const state of statesOf(record)) reached.add(`state ${state}`)
    }
    await store.destroy()
    await store.close()
  }
})

/** Who ran, and its token then. */
interface Run {
  readonly messageId: string
  readonly round: number
  readonly token: number | null
}

interface Told {
  readonly token?: number
  readonly outcome?: string
  readonly record?: { readonly code: string | null }
  readonly promotion?: unknown
  readonly full?: boolean
  readonly doubt?: unknown
  readonly replaced?: unknown
}

/** Under which names an answer counts as reached. */
function endsOf(verb: string, answer: Told): string[] {
  const { outcome, promotion, full, doubt, replaced } = answer
  return [
    `${verb} ${answer.record?.code ?? outcome ?? 'done'}`,
    ...(promotion ? [`${verb} ${outcome} promotion`] : []),
    ...(full ? [`${verb} full`] : []),
    ...(doubt ? [`${verb} in doubt`] : []),
    ...(replaced ? [`${verb} ${outcome} replaced`] : []),
  ]
}

function callsOf({ holders, parked }: LockRecord, messageId: string): number {
  return [...holders.filter((hold) => hold.stage !== 'cooling'), ...parked].filter(
    (each) => each.messageId === messageId,
  ).length
}

function statesOf(record: LockRecord): string[] {
  return [...record.holders.flatMap((hold) => [hold.stage, hold.set]), ...record.history.map((each) => each.event)]
}

type Pick = <T>(values: readonly T[]) => T

const IDS = ['a', 'b', 'c', 'd', 'e', 'f']

/** Half of the stories have one limit and mode, as one task has; in the rest every asker has its own, as in a rolling deploy. */
interface Taste {
  readonly limits: readonly number[]
  readonly modes: readonly Mode[]
}

function tasteOf(pick: Pick): Taste {
  const mixed = pick([false, true])
  return mixed
    ? { limits: [1, 2, 3], modes: pick([MODES, MODES.slice(2)]) }
    : { limits: [pick([1, 2, 3])], modes: [pick(MODES)] }
}

/** Most steps are about a present holder and its token, or about an earlier run, the rest about anybody. */
function nextStep(pick: Pick, record: LockRecord, runs: readonly Run[], taste: Taste): Step {
  const known = pick([pick([undefined, ...record.holders]), pick([undefined, pick(runs.slice(-3))]), undefined])
  const ref = {
    messageId: known?.messageId ?? pick(IDS),
    round: known?.round ?? pick([1, 1, 1, 2]),
  }
  const id = ref.messageId
  const token = known?.token ?? pick(runs).token ?? 1
  const kinds: readonly (() => Step)[] = [
    () => acquireStep(pick, ref, taste),
    () => acquireStep(pick, ref, taste),
    () => ({
      name: `confirm ${id}/${ref.round}`,
      store: (store) => store.confirm([{ key: KEY, ...ref }]),
      model: (record, now) => confirm(record, { key: KEY, ...ref }, now),
    }),
    () => advanceStep(pick, ref, taste),
    () => advanceStep(pick, ref, taste),
    () => requeueOf(pick, ref, token),
    () => requeueOf(pick, ref, token),
    () => releaseStep(pick, ref, token),
    () => releaseStep(pick, ref, token),
    () => ({
      name: `renew ${id} ${token}`,
      store: async (store) =>
        (await store.renew({ worker: null, leases: [renewal(id, token)], acked: [{ key: KEY, ...ref }] })).leases,
      model: (record, now) => {
        acknowledge(record, { key: KEY, ...ref }, now)
        return [renew(record, renewal(id, token), now)]
      },
    }),
    () => ({
      name: 'sweep',
      store: (store) => store.sweep({ limit: 10, ...TIMES }),
      model: (record, now) => ({ ...sweep(record, now, TIMES), now }),
    }),
    () => resolveStep(pick, ref, token),
    () => clearStep(pick),
    () => revokeStep(pick, id, ref.round),
    () => ({
      name: `reopen ${id}/${ref.round}`,
      store: (store) => store.reopen({ key: KEY, ...ref }),
      model: (record) => reopen(record, { key: KEY, ...ref }),
    }),
  ]
  return pick(kinds)()
}

function termsFor(pick: Pick, { limits, modes }: Taste): HoldTerms {
  const expiresAt = pick([null, 1_002_000, 1_004_000])
  const times = { timeoutMs: pick([300, 1_500, 60_000]), notBefore: pick([null, null, 1_002_000]), expiresAt }
  return termsOf({ ...times, limit: pick(limits), mode: pick(modes) })
}

function acquireStep(pick: Pick, ref: { messageId: string; round: number }, taste: Taste): Step {
  const whenHeld = pick<Instruction>([
    { do: 'refuse' },
    { do: 'park', capacity: 1, keep: 'first' },
    { do: 'park', capacity: 2, keep: 'first' },
    { do: 'park', capacity: pick([1, 2]), keep: 'latest' },
    { do: 'park', capacity: 3, keep: 'all' },
    { do: 'park', capacity: 1, keep: 'all' },
    { do: 'replace', minRunMs: pick([0, 300]) },
  ])
  const terms = termsFor(pick, taste)
  const message = JSON.stringify({ id: ref.messageId, of: pick([1, 2, 3]) })
  const request = acquiring(ref.messageId, { ...ref, whenHeld, terms, message })
  return {
    name: `acquire ${JSON.stringify({ ...ref, whenHeld, terms, message })}`,
    store: (store) => store.acquire(request),
    model: (record, now) => acquire(record, request, now),
  }
}

function advanceStep(pick: Pick, ref: { messageId: string; round: number }, taste: Taste): Step {
  const whenHeld = pick(['coalesce', 'skip', 'wait', 'replace'] as const)
  const step: RunStep = runStep(ref.messageId, {
    ...ref,
    ...{ owner: pick(['one', 'two']), slot: pick([0, 0, 1, 2]), terms: termsFor(pick, taste) },
    ...{ maxDeliveries: pick([1, 3, 3]), whenHeld, minRunMs: pick([0, 300]) },
    publishedAt: pick([0, 1_003_000, 9_000_000]),
  })
  const { owner, slot, terms, minRunMs, publishedAt, maxDeliveries } = step
  return {
    name: `run ${JSON.stringify({ ...ref, whenHeld, owner, slot, minRunMs, publishedAt, maxDeliveries, terms })}`,
    store: (store) => store.advance(step),
    model: (record, now) => run(record, step, now),
  }
}

function requeueOf(pick: Pick, ref: { messageId: string; round: number }, token: number): Step {
  const reason = pick(['retry', 'redelivery'] as const)
  const maxDeliveries = pick([1, 3, 3])
  const step = requeueStep(ref.messageId, token, { ...ref, reason, delayMs: pick([0, 100]), maxDeliveries })
  return {
    name: `requeue ${step.messageId}/${step.round} ${reason} ${token} ${maxDeliveries}`,
    store: (store) => store.advance(step),
    model: (record, now) => requeue(record, step, now),
  }
}

function releaseStep(pick: Pick, ref: { messageId: string; round: number }, running: number): Step {
  const token = pick([running, running, null])
  const request = releasing(ref.messageId, token, { ...ref, outcome: pick(['ran', 'failed', 'expired']) })
  return {
    name: `release ${ref.messageId}/${ref.round} ${token}`,
    store: (store) => store.release(request),
    model: (record, now) => release(record, request, now),
  }
}

function resolveStep(pick: Pick, ref: { messageId: string; round: number }, running: number): Step {
  const stage = pick(['publishing', 'running'] as const)
  const doubt = { key: KEY, ...ref, stage, token: pick([running, null]), queue: 'default' }
  const request = { doubt, state: pick(['waiting', 'absent', 'finished'] as const), ...TIMES }
  return {
    name: `resolve ${JSON.stringify(doubt)} ${request.state}`,
    store: (store) => store.resolve(request),
    model: (record, now) => resolve(record, request, now),
  }
}

/** At times a look for a queued message takes a step's place; mostly the engine does not have it. */
function looked(seed: number, at: number, record: LockRecord): Step | undefined {
  const pick = pickFrom(random(seed * 1_000 + at))
  const queued = record.holders.find((hold) => hold.stage === 'queued')
  if (!queued || pick([true, true, true, false])) return undefined
  const { messageId, round } = queued
  const doubt = { key: KEY, messageId, round, stage: 'queued', token: null, queue: 'default' } as const
  const request = { doubt, state: pick(['waiting', 'absent', 'finished'] as const), missingMs: 0, ...TIMES }
  return {
    name: `look ${messageId}/${round} ${request.state}`,
    store: (store) => store.resolve(request),
    model: (record, now) => resolve(record, request, now),
  }
}

function clearStep(pick: Pick): Step {
  const request = {
    ...{ key: KEY, by: 'operator', ...TIMES },
    ...{ parked: pick([true, false]), running: pick(['keep', 'cancel', 'drop'] as const) },
  }
  return {
    name: `clear ${request.running} ${request.parked}`,
    store: (store) => store.clear(request),
    model: (record, now) => clear(record, request, now),
  }
}

function revokeStep(pick: Pick, messageId: string, round: number): Step {
  const key = pick([KEY, null])
  const request = { key, messageId, round, terminate: pick([true, true, false]), by: 'ada', ...TIMES }
  return {
    name: `revoke ${messageId}/${round} ${key} ${request.terminate}`,
    store: (store) => store.revoke(request),
    model: (record, now) => {
      const found = key ?? viewMessage(new Map([[KEY, record]]), { messageId, key, now }).key
      return found === null ? { outcome: 'unknown', now } : revoke(record, request, now)
    },
  }
}

/** What travels: no fields that are undefined. */
function plain(answer: unknown): unknown {
  return answer === undefined ? undefined : JSON.parse(JSON.stringify(answer))
}

/** Outcomes of the same instant have no order of their own. */
function inAnyOrder(view: Awaited<ReturnType<LockStore['show']>>): unknown {
  const outcomes = view?.outcomes.map((each) => JSON.stringify(Object.entries(each).sort())).sort()
  return plain(view && { ...view, outcomes })
}

function pickFrom(next: () => number): Pick {
  return <T>(values: readonly T[]) => values[Math.floor(next() * values.length)] as T
}

/** Mulberry32: the same seed tells the same story. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
