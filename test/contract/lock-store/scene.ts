import type { ClearAnswer, ClearRequest } from '../../../src/lock/clear.js'
import type { SweepAnswer } from '../../../src/lock/doubt.js'
import type { HoldTerms, MessageRef } from '../../../src/lock/hold.js'
import { type LockKey, lockKey } from '../../../src/lock/key.js'
import type { LockStore } from '../../../src/lock/lock-store.js'
import type {
  AcquireAnswer,
  AcquireRequest,
  ReleaseAnswer,
  ReleaseRequest,
  RequeueAnswer,
  RequeueStep,
  RunAnswer,
  RunStep,
} from '../../../src/lock/message-step.js'
import type { Renewal, RenewalAnswer } from '../../../src/lock/renewal.js'
import type { RevokeAnswer, RevokeRequest } from '../../../src/lock/revoke.js'
import type { TestKit } from '../kit.js'

/** One test's store, of an app name that nobody used before. */
export interface LockStoreBench {
  readonly app: string
  readonly store: LockStore
  /** Lets at least this much of the store's time pass: waits on a real server, moves the clock by hand in memory. */
  advanceTime(ms: number): Promise<void>
  /** One more instance on the same server, with a connection of its own where there are any; the same app unless named. */
  another(app?: string): Promise<LockStore>
  /** Destroys what the test wrote and closes every instance. */
  close(): Promise<void>
}

export type OpenLockStore = () => Promise<LockStoreBench>

/** Of a server that can lose what it keeps. */
export interface LosingBench extends LockStoreBench {
  /** Takes all that is kept of the app's locks away, as a restart without it does. */
  lose(): Promise<void>
}

/** Times short enough to be waited for on a real server, long enough for a few round trips on a busy machine. */
export const LEASE_MS = 400
export const LOCK_DELAY_MS = 200
export const PUBLISH_LEASE_MS = 300
export const RESULT_MS = 60_000

export const TASK = 'suite.task'
export const KEY: LockKey = lockKey(TASK, '[1]')

export function refTo(messageId: string, key: LockKey = KEY): MessageRef {
  return { key, messageId, round: 1 }
}

export function termsOf(over: Partial<HoldTerms> = {}): HoldTerms {
  return {
    task: TASK,
    label: `${TASK}(feed=7)`,
    queue: 'default',
    limit: 1,
    mode: 'untilExecuted',
    timeoutMs: 60_000,
    guarded: true,
    notBefore: null,
    expiresAt: null,
    ...over,
  }
}

export function acquiring(messageId: string, over: Partial<AcquireRequest> = {}): AcquireRequest {
  return {
    ...refTo(messageId),
    terms: termsOf(),
    whenHeld: { do: 'refuse' },
    publishLeaseMs: PUBLISH_LEASE_MS,
    message: messageText(messageId),
    resultMs: RESULT_MS,
    ...over,
  }
}

/** A message text that a store must give back byte for byte. */
export function messageText(messageId: string): string {
  return JSON.stringify({ v: 1, id: messageId, z: 1, a: 'ü \u0000 "quoted" 🦉 \\' })
}

/** A store and one key: the verbs with everything filled in that a test does not speak about. */
export interface Scene extends LockStoreBench {
  acquire(messageId: string, over?: Partial<AcquireRequest>): Promise<AcquireAnswer>
  /** Acquires with a parking instruction. */
  park(messageId: string, over?: Partial<AcquireRequest>): Promise<AcquireAnswer>
  confirm(messageId: string): Promise<void>
  run(messageId: string, over?: Partial<RunStep>): Promise<RunAnswer>
  /** Runs a message that must be granted and answers its token. */
  running(messageId: string, over?: Partial<RunStep>): Promise<number>
  requeue(messageId: string, token: number, over?: Partial<RequeueStep>): Promise<RequeueAnswer>
  release(messageId: string, token: number | null, over?: Partial<ReleaseRequest>): Promise<ReleaseAnswer>
  renew(messageId: string, token: number, over?: Partial<Renewal>): Promise<RenewalAnswer>
  sweep(limit?: number): Promise<SweepAnswer>
  clear(over?: Partial<ClearRequest>): Promise<ClearAnswer>
  revoke(messageId: string, over?: Partial<RevokeRequest>): Promise<RevokeAnswer>
}

export function sceneOf(bench: LockStoreBench): Scene {
  const { store } = bench
  const scene: Scene = {
    ...bench,
    acquire: (id, over) => store.acquire(acquiring(id, over)),
    park: (id, over) => store.acquire(acquiring(id, { whenHeld: { do: 'park', capacity: 1, keep: 'first' }, ...over })),
    confirm: (id) => store.confirm([refTo(id)]),
    run: (id, over) => store.advance(runStep(id, over)),
    running: (id, over) => tokenOf(scene.run(id, over)),
    requeue: (id, token, over) => store.advance(requeueStep(id, token, over)),
    release: (id, token, over) => store.release(releasing(id, token, over)),
    renew: (id, token, over) => renewOne(store, { ...renewal(id, token), ...over }),
    sweep: (limit = 100) => store.sweep({ limit, publishLeaseMs: PUBLISH_LEASE_MS, resultMs: RESULT_MS }),
    clear: (over) => store.clear(clearing(over)),
    revoke: (id, over) => store.revoke({ ...revoking(id), ...over }),
  }
  return scene
}

export function runStep(messageId: string, over: Partial<RunStep> = {}): RunStep {
  return {
    ...refTo(messageId),
    to: 'running',
    terms: termsOf(),
    owner: `owner-of-${messageId}`,
    worker: 'w1@host',
    barrier: 'none',
    slot: 0,
    leaseMs: LEASE_MS,
    lockDelayMs: LOCK_DELAY_MS,
    maxDeliveries: 3,
    publishedAt: 0,
    whenHeld: 'coalesce',
    minRunMs: 0,
    publishLeaseMs: PUBLISH_LEASE_MS,
    resultMs: RESULT_MS,
    ...over,
  }
}

async function tokenOf(answer: Promise<RunAnswer>): Promise<number> {
  const given = await answer
  if (given.outcome !== 'granted') throw new Error(`expected to run, got '${given.outcome}'`)
  return given.token
}

export function requeueStep(messageId: string, token: number, over: Partial<RequeueStep> = {}): RequeueStep {
  return {
    ...refTo(messageId),
    to: 'queued',
    token,
    reason: 'redelivery',
    delayMs: 0,
    maxDeliveries: 3,
    publishLeaseMs: PUBLISH_LEASE_MS,
    resultMs: RESULT_MS,
    ...over,
  }
}

export function releasing(messageId: string, token: number | null, over: Partial<ReleaseRequest> = {}): ReleaseRequest {
  return {
    ...refTo(messageId),
    token,
    outcome: 'ran',
    code: null,
    result: '7',
    error: null,
    publishLeaseMs: PUBLISH_LEASE_MS,
    resultMs: RESULT_MS,
    ...over,
  }
}

export function renewal(messageId: string, token: number): Renewal {
  return { key: KEY, messageId, token, leaseMs: LEASE_MS, limit: 1, label: termsOf().label }
}

async function renewOne(store: LockStore, lease: Renewal): Promise<RenewalAnswer> {
  const { leases } = await store.renew({ worker: null, leases: [lease], acked: [] })
  if (!leases[0]) throw new Error('a renewal was not answered')
  return leases[0]
}

function clearing(over: Partial<ClearRequest> = {}): ClearRequest {
  return {
    key: KEY,
    parked: false,
    running: 'keep',
    by: 'operator',
    publishLeaseMs: PUBLISH_LEASE_MS,
    resultMs: RESULT_MS,
    ...over,
  }
}

function revoking(messageId: string): RevokeRequest {
  const times = { publishLeaseMs: PUBLISH_LEASE_MS, resultMs: RESULT_MS }
  return { ...refTo(messageId), terminate: false, by: 'operator', ...times }
}

/** Declares tests that are each given a fresh store, closed whatever happens. */
export type SceneTest = (title: string, body: (scene: Scene) => Promise<void>) => void

export function sceneTests(kit: TestKit, open: OpenLockStore): SceneTest {
  return (title, body) => {
    kit.it(title, async () => {
      const bench = await open()
      try {
        await body(sceneOf(bench))
      } finally {
        await bench.close()
      }
    })
  }
}
