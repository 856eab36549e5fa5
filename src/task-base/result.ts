import { Doorbell } from '../lock/doorbell.js'
import { type Duration, parseDuration } from '../lock/duration.js'
import type { LockKey } from '../lock/key.js'
import type { LockStore } from '../lock/lock-store.js'
import type { MessageView } from '../lock/lock-view.js'
import type { OutcomeRecord } from '../lock/outcome.js'
import { carriedError } from './carried-error.js'
import { type HolderInfo, Rejected, ResultTimeout, Revoked, TaskFailed, TimeLimitExceeded } from './error.js'

/** Celery's words for where a call stands. */
export type State = 'PENDING' | 'STARTED' | 'RETRY' | 'SUCCESS' | 'FAILURE' | 'REJECTED' | 'REVOKED'

/** What a call became, and the way to its value. */
export interface Result<R> {
  readonly id: string
  /** What it locks; null where only the worker can tell. */
  readonly key: string | null
  readonly outcome: 'published' | 'parked' | 'coalesced' | 'rejected'
  /** Who has the key, where somebody else has. */
  readonly holder: HolderInfo | undefined
  state(): Promise<State>
  /**
   * The task's value, as JSON carried it. Follows a coalesced call to the one that runs for it. Default: no timeout.
   * @throws Rejected, Revoked, TaskFailed (TimeLimitExceeded of one that ran into a limit), ResultTimeout
   */
  get(options?: { readonly timeout?: Duration }): Promise<R>
}

/** Where the end of a message is looked up. */
export interface Finder {
  find(id: string, key: LockKey | null): Promise<MessageView>
  /** Absent where nobody tells of outcomes: then they are looked for now and then. */
  readonly listen?: LockStore['listen']
}

export interface ResultOf {
  readonly id: string
  readonly key: LockKey | null
  readonly outcome: Result<unknown>['outcome']
  readonly holder: HolderInfo | undefined
}

const FIRST_POLL_MS = 20
const LAST_POLL_MS = 500
/** Coalesced calls point at parked ones, which never point further; a bound all the same. */
const MAX_HOPS = 5

export function createResult<R>(open: () => Promise<Finder>, of: ResultOf): Result<R> {
  return {
    id: of.id,
    key: of.key,
    outcome: of.outcome,
    holder: of.holder,
    async state() {
      return of.outcome === 'rejected' ? 'REJECTED' : stateOf((await followed(await open(), of)).view)
    },
    async get({ timeout } = {}) {
      if (of.outcome === 'rejected') throw new Rejected(of.id, of.holder)
      const timeoutMs = timeout === undefined ? Number.POSITIVE_INFINITY : parseDuration(timeout, 'timeout')
      return resultValue<R>(await ended(open, of, timeoutMs))
    },
  }
}

/** The message itself, or the one that runs in its place. */
async function followed(store: Finder, of: ResultOf): Promise<{ id: string; view: MessageView }> {
  let id = of.id
  for (let hops = 0; ; hops++) {
    const view = await store.find(id, of.key)
    const { outcome } = view
    if (hops === MAX_HOPS || outcome?.outcome !== 'coalesced' || outcome.into === null) return { id, view }
    id = outcome.into
  }
}

/** Looks, and looks again when it is told or has waited long enough: notices save time, nothing depends on them. */
async function ended(open: () => Promise<Finder>, of: ResultOf, timeoutMs: number): Promise<OutcomeRecord> {
  const startedAt = performance.now()
  const bell = new Doorbell()
  const heard = new Map<string, () => void>()
  try {
    for (let pauseMs = FIRST_POLL_MS; ; pauseMs = Math.min(LAST_POLL_MS, pauseMs * 1.5)) {
      const store = await open()
      const { id, view } = await followed(store, of)
      if (view.outcome) return view.outcome
      const leftMs = timeoutMs - (performance.now() - startedAt)
      if (leftMs <= 0) throw new ResultTimeout(of.id, timeoutMs)
      if (store.listen && !heard.has(id)) heard.set(id, store.listen(`message:${id}`, bell.ring))
      await bell.wait(Math.min(pauseMs, leftMs))
    }
  } finally {
    for (const stop of heard.values()) stop()
  }
}

/** Where a message stands, from its outcome or its hold. Pure. */
function stateOf(view: MessageView): State {
  switch (view.outcome?.outcome) {
    case undefined:
      break
    case 'ran':
      return 'SUCCESS'
    case 'failed':
    case 'lock_lost':
      return 'FAILURE'
    case 'skipped':
      return 'REJECTED'
    case 'coalesced':
      return 'PENDING'
    default:
      return 'REVOKED'
  }
  if (view.hold?.stage === 'running') return 'STARTED'
  return view.hold && view.hold.retries > 0 ? 'RETRY' : 'PENDING'
}

/** The value of a message that ended. @throws what its end means to a caller. */
export function resultValue<R>(ended: OutcomeRecord): R {
  switch (ended.outcome) {
    case 'ran':
      return (ended.result === null ? undefined : JSON.parse(ended.result)) as R
    case 'failed':
    case 'lock_lost':
      throw failureOf(ended)
    case 'skipped':
      throw new Rejected(
        ended.messageId,
        ended.into === null ? undefined : { id: ended.into, since: new Date(ended.at).toISOString() },
      )
    default:
      throw new Revoked(ended.messageId, ended.code ?? ended.outcome.toUpperCase())
  }
}

function failureOf({ messageId, code, error }: OutcomeRecord): TaskFailed {
  const limit = code === 'TIME_LIMIT' || code === 'SOFT_TIME_LIMIT'
  const cause = error === null ? undefined : carriedError(error)
  return new (limit ? TimeLimitExceeded : TaskFailed)(messageId, code ?? 'TASK_ERROR', cause)
}
