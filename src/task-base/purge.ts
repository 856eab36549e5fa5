import type { MessageRef } from '../lock/hold.js'
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
  await engine.purge(queue, {
    async ended(message) {
      return !promoted.has(message.id) && (await endPurged(connection, message, { tally, promoted }))
    },
    async removed(messages) {
      // No redelivery can come: the outcomes need not outlive one.
      const acked = await Promise.all(messages.map((message) => refOf(connection, message)))
      if (acked.length > 0) await connection.store.renew({ worker: null, leases: [], acked })
    },
  })
}

/** Answers whether it has ended: it may run. */
async function endPurged(
  connection: Connection,
  message: Message,
  { tally, promoted }: { tally: Purged; promoted: Set<string> },
): Promise<boolean> {
  const { store, sweep } = connection
  const { resultMs } = message
  const ref = await refOf(connection, message)
  const { key, messageId } = ref
  const end = { outcome: 'purged', code: 'PURGED', token: null, result: null, error: null } as const
  const answer = await store.release({ ...ref, ...end, publishLeaseMs: PUBLISH_LEASE_MS, resultMs })
  if (answer.outcome === 'stale') {
    tally.running += 1
    return false
  }
  if (answer.outcome === 'finished') return true
  // Another purge may have ended it: the answer is the same then.
  if (!answer.again) {
    tally.purged += 1
    sweep.events.emit('call:ended', { id: messageId, key, outcome: 'purged' })
  }
  if (answer.promotion === null) return true
  promoted.add(answer.promotion.messageId)
  await publishPromotion(sweep, answer.promotion)
  if (!answer.again) tally.promoted += 1
  return true
}

/** A message whose publisher did not know its task may have had a lock under a key that its worker computed. */
async function refOf({ store }: Connection, { id: messageId, round, lock }: Message): Promise<MessageRef> {
  const key = lock.known ? lock.key : ((await store.find(messageId, null)).key ?? lock.key)
  return { key, messageId, round }
}
