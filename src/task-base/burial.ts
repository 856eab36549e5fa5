import type { OutcomeRecord } from '../lock/outcome.js'
import type { Verdict } from './engine.js'
import { encodeMessage, type Message } from './message.js'
import type { ExecutionPorts } from './run.js'
import { subject } from './sweeper.js'

/**
 * The codes of messages that were given up without a word of their task: started too often without an end, cut off for
 * good, or known to no worker. A task that threw, or ran into its limit, has failed: that is its result, and no dead letter.
 */
const GIVEN_UP: readonly (string | null)[] = ['MAX_DELIVERIES', 'LOCK_LOST', 'UNKNOWN_TASK']

/**
 * The record knows the message's end. One that was given up is buried before the engine may forget it: who dies in
 * between is followed by a redelivery, which the record answers `finished`, and so comes by here again.
 */
export async function acknowledge(
  { store, events, worker }: Pick<ExecutionPorts, 'store' | 'events' | 'worker'>,
  message: Message,
  { code }: Pick<OutcomeRecord, 'code'>,
): Promise<Verdict> {
  if (code !== null && GIVEN_UP.includes(code)) {
    const { id: messageId, round, task, queue } = message
    const { key, label } = message.lock
    const letter = { key, messageId, round, task, label, queue, code }
    const { kept } = await store.dead.bury({ ...letter, message: encodeMessage(message) })
    if (kept) events.emit('run:buried', { ...subject(message), worker, code })
  }
  return { verdict: 'ack' }
}
