import type { MessageRef } from '../lock/hold.js'
import type { LockKey } from '../lock/key.js'
import type { Connection } from './connection.js'
import type { Message } from './message.js'
import { PUBLISH_LEASE_MS } from './publish-guard.js'
import { publishPromotion } from './sweeper.js'

/** What became of the messages of a queue; counted while it goes on, so that a purge that fails midway says how far it came. */
export interface Purged {
  /** Ended as purged: they will not run. */
  purged: number
  /** Left alone since they ran by then. */
  running: number
  /** Parked calls that had their turn because a purged one gave its place up. */
  promoted: number
}

/**
 * Ends all messages of a queue that wait or are delayed. First the record: the outcome `purged` and the next parked call's
 * turn in one step, so that a death in between leaves a message that is answered `finished` when it is delivered. Only
 * then the message goes. Parked calls that get their turn meanwhile are calls of their own and stay.
 *
 * @throws ServerUnavailable; what was ended by then stays ended
 */
export async function purgeQueue(connection: Connection, queue: string, tally: Purged): Promise<void> {
  const { engine } = connection.servers
  const promoted = new Set<string>()
  const gone: MessageRef[] = []
  await engine.purge(queue, async (message) => {
    if (promoted.has(message.id)) return false
    const key = await endPurged(connection, message, { tally, promoted })
    if (key !== null) gone.push({ key, messageId: message.id, round: message.round })
    return key !== null
  })
  // No redelivery can come: the outcomes need not outlive one.
  await connection.store.renew({ worker: null, leases: [], acked: gone })
}

/** Answers under which key it has ended, or null where it runs. */
async function endPurged(
  connection: Connection,
  message: Message,
  { tally, promoted }: { tally: Purged; promoted: Set<string> },
): Promise<LockKey | null> {
  const { store, sweep } = connection
  const { id: messageId, round, resultMs } = message
  const key = await keyOf(connection, message)
  const end = { outcome: 'purged', code: 'PURGED', token: null, result: null, error: null } as const
  const answer = await store.release({ key, messageId, round, ...end, publishLeaseMs: PUBLISH_LEASE_MS, resultMs })
  if (answer.outcome === 'stale') {
    tally.running += 1
    return null
  }
  if (answer.outcome === 'finished') return key
  // Another purge may have ended it: asked for again the answer is the same, of an earlier instant.
  const isOurs = answer.record.at === answer.now
  if (isOurs) {
    tally.purged += 1
    sweep.events.emit('call:ended', { id: messageId, key, outcome: 'purged' })
  }
  if (answer.promotion === null) return key
  promoted.add(answer.promotion.messageId)
  await publishPromotion(sweep, answer.promotion)
  if (isOurs) tally.promoted += 1
  return key
}

/** A message whose publisher did not know its task may have had a lock under a key that its worker computed. */
async function keyOf({ store }: Connection, { id, lock }: Message): Promise<LockKey> {
  return lock.known ? lock.key : ((await store.find(id, null)).key ?? lock.key)
}
