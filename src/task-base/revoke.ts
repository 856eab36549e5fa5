import { type LockKey, privateKey } from '../lock/key.js'
import type { OutcomeRecord } from '../lock/outcome.js'
import type { Connection } from './connection.js'
import { type HolderInfo, holderInfo } from './error.js'
import { PUBLISH_LEASE_MS } from './publish-guard.js'
import type { Result } from './result.js'
import { publishPromotion } from './sweeper.js'

export interface RevokeOptions {
  /** Also stop it if it runs: its signal is aborted, then its process killed. */
  readonly terminate?: boolean
  /** The task's name, for a call without a lock that is known by its id only and in no queue that a worker serves. */
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

export interface RevokeRequest extends RevokeOptions {
  /** Where a message may wait that the locks' server does not know yet, beside the queues of live workers. */
  readonly queues: readonly string[]
}

/** One step on the locks' server. The engine's message stays where it is: its delivery is answered `finished`. */
export async function revokeCall(
  connection: Pick<Connection, 'store' | 'sweep'>,
  call: string | Pick<Result<unknown>, 'id' | 'key'>,
  options: RevokeRequest,
): Promise<Revocation> {
  const { store, sweep } = connection
  const { id, key } = typeof call === 'string' ? { id: call, key: null } : call
  const by = options.by ?? 'app.revoke'
  const request = { messageId: id, round: 0, terminate: options.terminate ?? false, by }
  const times = { publishLeaseMs: PUBLISH_LEASE_MS, resultMs: sweep.resultMs }
  let answer = await store.revoke({ ...request, ...times, key: key as LockKey | null })
  if (answer.outcome === 'unknown') {
    const found = options.task === undefined ? await keyInQueue(connection, id, options) : privateKey(options.task, id)
    if (found !== null) answer = await store.revoke({ ...request, ...times, key: found })
  }
  switch (answer.outcome) {
    case 'revoked':
      if (!answer.again) sweep.events.emit('call:ended', { id, key: answer.key, outcome: 'revoked' })
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

/** The key of a message that nobody has told the locks' server of: its task takes none at publish. */
async function keyInQueue(
  { store, sweep }: Pick<Connection, 'store' | 'sweep'>,
  id: string,
  { queues }: RevokeRequest,
): Promise<LockKey | null> {
  const served = (await store.workers({ allApps: false })).flatMap((worker) => worker.queues)
  for (const queue of new Set([...queues, ...served])) {
    const message = await sweep.engine.peek(queue, id)
    if (message) return message.lock.key
  }
  return null
}
