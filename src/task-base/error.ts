import { BeatlockError } from '../lock/error.js'
import type { ErrorCode } from '../lock/error-code.js'
import type { Holder } from '../lock/hold.js'

/** The holder as callers see it. */
export interface HolderInfo {
  /** Message id of the call that has the key. */
  readonly id: string
  /** Its worker, once it runs. */
  readonly worker?: string
  /** ISO 8601, UTC: since when it is queued or running. */
  readonly since: string
}

export function holderInfo(holder: Holder): HolderInfo {
  const since = new Date(holder.since).toISOString()
  return holder.worker === null ? { id: holder.id, since } : { id: holder.id, worker: holder.worker, since }
}

/** The key is held and the policy is `raise`. Nothing was stored. */
export class AlreadyQueued extends BeatlockError {
  readonly key: string
  readonly holder: HolderInfo
  /** At most how long the key is still held unless it is renewed, ms. */
  readonly remainingMs: number

  constructor(of: { key: string; label: string; holder: HolderInfo; remainingMs: number; cure?: string }) {
    super(
      'ALREADY_QUEUED',
      `${of.label} is already queued or running as ${of.holder.id}; ${of.cure ?? "wait for it, or call with overlap 'skip' or 'defer'"}.`,
      { data: { key: of.key, holder: of.holder, remainingMs: of.remainingMs } },
    )
    this.key = of.key
    this.holder = of.holder
    this.remainingMs = of.remainingMs
  }
}

/** The key is held, the policy is `queue`, and as many calls are parked as `maxParked` allows. Nothing was stored. */
export class ParkedFull extends BeatlockError {
  readonly key: string
  readonly holder: HolderInfo
  readonly maxParked: number

  constructor(of: { key: string; label: string; holder: HolderInfo; maxParked: number }) {
    super(
      'PARKED_FULL',
      `${of.maxParked} calls already wait for ${of.label}, held by ${of.holder.id}; call later, or raise maxParked.`,
      { data: { key: of.key, holder: of.holder, maxParked: of.maxParked } },
    )
    this.key = of.key
    this.holder = of.holder
    this.maxParked = of.maxParked
  }
}

/** `get()` of a call that was skipped: it never ran, another call held the key. */
export class Rejected extends BeatlockError {
  readonly holder: HolderInfo | undefined

  constructor(id: string, holder: HolderInfo | undefined) {
    super('REJECTED', `call ${id} was skipped${holder ? `: ${holder.id} holds the key` : ''}.`, {
      data: { id, holder },
    })
    this.holder = holder
  }
}

/** `get()` of a call that was ended before its own end, waiting or running: its `code` says how (EXPIRED, REVOKED, CLEARED, PURGED, REPLACED). */
export class Revoked extends BeatlockError {
  constructor(id: string, code: string) {
    super(code as ErrorCode, `call ${id} was ended before its own end: ${code.toLowerCase()}.`, { data: { id } })
  }
}

/** What a code means where the task itself said nothing. */
const WITHOUT_A_WORD: Readonly<Record<string, string>> = {
  MAX_DELIVERIES: 'its process died each time it was started',
  LOCK_LOST: 'its lock was lost while it ran',
  TIME_LIMIT: 'it ran longer than its time limit',
  MAX_RETRIES: 'it is out of retries',
  UNKNOWN_TASK: 'no worker knew its task',
  BAD_ARGUMENTS: 'its arguments do not fit its task',
  PUBLISH_FAILED: 'the broker refused it',
}

/** `get()` of a task that failed. `cause` is its own error as far as it could travel. */
export class TaskFailed extends BeatlockError {
  constructor(id: string, code: string, cause: Error | undefined) {
    const how = code === 'MAX_RETRIES' ? ', out of retries,' : ''
    const why = cause ? `${how} with ${cause.name}: ${cause.message}` : `: ${WITHOUT_A_WORD[code] ?? code}`
    super(code as ErrorCode, `call ${id} failed${why}`, { data: { id }, cause })
  }
}

/**
 * `get()` of a task that ran into a limit: the hard one (`TIME_LIMIT`), or it let the error of its soft one pass
 * (`SOFT_TIME_LIMIT`).
 */
export class TimeLimitExceeded extends TaskFailed {}

/** `get()` waited as long as it was told to. The call goes on. */
export class ResultTimeout extends BeatlockError {
  constructor(id: string, timeoutMs: number) {
    super('RESULT_TIMEOUT', `call ${id} has no result after ${timeoutMs} ms.`, { data: { id, timeoutMs } })
  }
}

/** The message was sent and the answer lost: it may or may not run. Calling again with the same id is safe. */
export class PublishUnknown extends BeatlockError {
  readonly id: string

  constructor(id: string, cause: unknown) {
    super(
      'PUBLISH_UNKNOWN',
      `it is unknown whether call ${id} was published; calling again with { id: '${id}' } is safe.`,
      {
        data: { id },
        cause,
      },
    )
    this.id = id
  }
}

/** Reason of the task's signal when its soft limit is reached. */
export class SoftTimeLimitExceeded extends BeatlockError {
  constructor(limitMs: number) {
    super('SOFT_TIME_LIMIT', `the task ran for more than its soft limit of ${limitMs} ms.`, { data: { limitMs } })
  }
}

/** Reason of the task's signal when its lock is lost or taken away: nothing done from now on is protected. */
export class LockLost extends BeatlockError {
  constructor(why: string, { data, cause }: { data?: Record<string, unknown>; cause?: unknown } = {}) {
    super('LOCK_LOST', `the task lost its lock (${why}); stop writing.`, { data: { why, ...data }, cause })
  }
}

/**
 * A fenced write was refused and changed nothing: its token is not current any more, or a higher one has written since.
 * `highest` is that one, where the store told it.
 */
export class StaleToken extends LockLost {
  readonly key: string
  readonly token: number
  readonly highest: number | undefined

  constructor(of: { key: string; token: number; highest?: number; cause?: unknown }) {
    const { key, token, highest, cause } = of
    super(`token ${token} of ${key} is ${highest === undefined ? 'not current' : `lower than ${highest}`}`, {
      data: { key, token, highest },
      cause,
    })
    this.key = key
    this.token = token
    this.highest = highest
  }
}

/** The COMMIT of a fenced transaction was sent and not answered: it is written, or not at all. Look before repeating it. */
export class CommitUnknown extends BeatlockError {
  constructor(of: { key: string; token: number; cause: unknown }) {
    const { cause, ...data } = of
    super('COMMIT_UNKNOWN', `it is unknown whether the fenced transaction of ${of.key} was committed: look.`, {
      data,
      cause,
    })
  }
}

/** Whether a body was told to stop since its lock was lost, not since somebody wanted its end. */
export function stoppedByLoss({ reason }: AbortSignal): boolean {
  return reason instanceof LockLost && reason.data['why'] === 'lost'
}
