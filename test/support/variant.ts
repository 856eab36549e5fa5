import { Redis } from 'ioredis'
import { StoreUnavailable } from '../../src/lock/error.js'
import type { LockStore } from '../../src/lock/lock-store.js'
import type { ReleaseAnswer, ReleaseRequest, RunAnswer, RunStep } from '../../src/lock/message-step.js'
import type { OutcomeRecord } from '../../src/lock/outcome.js'

/** A lock broken on purpose, in a way that locks are often written: what the checker must catch. */
export type Variant = StoreVariant | NaiveVariant
/** In the store, beside sound workers. */
export type StoreVariant = 'release without owner' | 'counter permits' | 're-entry by message id' | 'no outcome kept'
/** In the worker: see naive-worker.ts. */
export type NaiveVariant = 'renewal in the task’s loop' | 'trust measured from the reply'

/** The variants of naive-worker.ts. */
export const NAIVE: readonly Variant[] = ['renewal in the task’s loop', 'trust measured from the reply']

/** Breaks one verb of a sound store; all else is as it was. */
export function breakStore(store: LockStore, variant: Variant): void {
  if (variant === 'release without owner') releaseWithoutOwner(store)
  if (variant === 'counter permits') counterPermits(store)
  if (variant === 're-entry by message id') reenterById(store)
  if (variant === 'no outcome kept') keepNoOutcome(store)
}

/** `DEL lock`: frees the key for whoever has it now. */
function releaseWithoutOwner(store: LockStore): void {
  const release = store.release.bind(store)
  store.release = async (request) => {
    const holder = (await store.show(request.key))?.rows.find(({ stage }) => stage === 'running')
    if (request.token === null || !holder?.holder) return release(request)
    return release({ ...request, messageId: holder.holder, token: holder.token })
  }
}

const FREE = 1000

/** `INCR` and `DECR`: a permit is no identity, so one that is given back twice makes room for two. */
function counterPermits(store: LockStore): void {
  const counter = new Redis(process.env['FAULT_BROKER'] ?? '')
  const { acquire, release } = store
  const advance = store.advance as (step: RunStep) => Promise<RunAnswer>
  const unlimited = <T extends { terms: { limit: number } }>(step: T): T => ({
    ...step,
    terms: { ...step.terms, limit: FREE },
  })
  store.acquire = async (request) => {
    if ((await counter.incr(`permits ${request.key}`)) <= request.terms.limit) {
      return acquire.call(store, unlimited(request))
    }
    await counter.decr(`permits ${request.key}`)
    return acquire.call(store, request)
  }
  store.advance = ((step: RunStep) => {
    const slot = Math.floor(Math.random() * FREE)
    return advance.call(store, step.to === 'running' ? { ...unlimited(step), slot } : step)
  }) as LockStore['advance']
  let lost = false
  store.release = async (request) => {
    const answer = await release.call(store, request)
    await counter.decr(`permits ${request.key}`)
    if (lost) return answer
    lost = true
    throw new StoreUnavailable('counter', 'the reply was lost')
  }
}

/** A lock that is its own message's: a redelivery beside the first run is let in. */
function reenterById(store: LockStore): void {
  const advance = store.advance.bind(store) as (step: RunStep) => Promise<RunAnswer>
  store.advance = (async (step: RunStep) => {
    const answer = await advance(step)
    if (answer.outcome !== 'refused' || answer.holder.id !== step.messageId) return answer
    const token = answer.holder.token as number
    const expiresAt = answer.now + step.leaseMs
    return { outcome: 'granted', token, deliveries: 2, retries: 0, expiresAt, promotion: null, now: answer.now }
  }) as LockStore['advance']
}

/** Frees the key and forgets that the message is done. */
function keepNoOutcome(store: LockStore): void {
  store.release = async (request): Promise<ReleaseAnswer> => {
    const { key, publishLeaseMs, resultMs } = request
    const freed = await store.clear({ key, parked: false, running: 'drop', by: 'variant', publishLeaseMs, resultMs })
    return {
      outcome: 'released',
      record: recordOf(request, freed.now),
      promotion: freed.promotion,
      again: false,
      now: freed.now,
    }
  }
}

function recordOf(request: ReleaseRequest, at: number): OutcomeRecord {
  const { messageId, round, outcome, token, result, code, error } = request
  return { messageId, round, outcome, token, result, code, error, into: null, at }
}

/** The schema's release as one statement: it looks for parked calls before it has the key to itself. */
export const RELEASE_AND_POP = `
create or replace function beatlock.release_v1(p_app text, p_key text, r jsonb, p_result text, p_error text)
returns json language sql set lock_timeout = '2s' as $$
  with locked as (
    insert into beatlock.lock_key (app, key) values (p_app, p_key)
      on conflict (app, key) do update set used_on = excluded.used_on returning beatlock.clock_v1() as n
  ), gone as (
    delete from beatlock.lock_call c using locked
      where c.app = p_app and c.key = p_key and c.message_id = r->>'messageId' and c.token = (r->>'token')::bigint
  ), written as (
    select beatlock.record_outcome_v1(p_app, p_key, r->>'messageId', (r->>'round')::integer, r->>'outcome',
      (r->>'token')::bigint, p_result, r->>'code', p_error, null, n, (r->>'resultMs')::bigint) as o from locked
  ), popped as (
    update beatlock.lock_call c set stage = 'promoting', expires_at = n, due_at = n, acquired_at = n, since = n
      from locked where c.app = p_app and c.key = p_key and c.place = (
        select min(p.place) from beatlock.lock_call p where p.app = p_app and p.key = p_key and p.stage = 'parked')
  )
  select json_build_object('outcome', 'released', 'record', beatlock.outcome_v1(o), 'promotion', null, 'now', n)
    from locked, written
$$`
