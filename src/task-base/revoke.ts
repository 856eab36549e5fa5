import { type LockKey, privateKey } from '../lock/key.js'
import type { OutcomeRecord } from '../lock/lock-store.js'
import type { Connection } from './connection.js'
import { type HolderInfo, holderInfo } from './error.js'
import { PUBLISH_LEASE_MS } from './publish-guard.js'
import type { Result } from './result.js'
import { publishPromotion } from './sweeper.js'

export interface RevokeOptions {
  /** Also stop it if it runs: its signal is aborted, then its process killed. */
  readonly terminate?: boolean
  /** The task's name, for a call without a lock that is known by its id only. */
  readonly task?: string
  /** Who revokes, for the record. */
  readonly by?: string
}

export type Revocation =
  /** It will not run. */
  | { readonly outcome: 'revoked' }
  /** It runs and is being stopped; `get()` throws `Revoked` once it has. */
  | { readonly outcome: 'cancelled'; readonly holder: HolderInfo }
  /** It runs and was left alone. */
  | { readonly outcome: 'running'; readonly holder: HolderInfo }
  /** It had ended before. */
  | { readonly outcome: 'finished'; readonly ended: OutcomeRecord['outcome'] }
  /** Nothing is known of this id. */
  | { readonly outcome: 'unknown' }

/** One step on the locks' server. The engine's message stays where it is: its delivery is answered `finished`. */
export async function revokeCall(
  { store, sweep }: Pick<Connection, 'store' | 'sweep'>,
  call: string | Pick<Result<unknown>, 'id' | 'key'>,
  options: RevokeOptions,
): Promise<Revocation> {
  const { id, key } = typeof call === 'string' ? { id: call, key: null } : call
  const by = options.by ?? 'app.revoke'
  const request = { messageId: id, round: 0, terminate: options.terminate ?? false, by }
  const times = { publishLeaseMs: PUBLISH_LEASE_MS, resultMs: sweep.resultMs }
  let answer = await store.revoke({ ...request, ...times, key: key as LockKey | null })
  if (answer.outcome === 'unknown' && options.task !== undefined) {
    answer = await store.revoke({ ...request, ...times, key: privateKey(options.task, id) })
  }
  switch (answer.outcome) {
    case 'revoked':
      // Asked for again the answer is the same, of an earlier instant.
      if (answer.record.at === answer.now) {
        sweep.events.emit('call:ended', { id, key: answer.key, outcome: 'revoked' })
      }
      if (answer.promotion) await publishPromotion(sweep, answer.promotion)
      return { outcome: 'revoked' }
    case 'finished':
      return { outcome: 'finished', ended: answer.record.outcome }
    case 'unknown':
      return { outcome: 'unknown' }
    default:
      return { outcome: answer.outcome, holder: holderInfo(answer.holder) }
  }
}
