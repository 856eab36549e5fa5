import type { Doubt } from '../lock/doubt.js'
import type { Holder, HoldTerms } from '../lock/hold.js'
import type { LockStore } from '../lock/lock-store.js'
import type { AcquireAnswer } from '../lock/message-step.js'
import type { OutcomeRecord } from '../lock/outcome.js'
import { instructionFor } from '../lock/overlap.js'
import type { Engine } from './engine.js'
import { encodeMessage, type Message } from './message.js'

/** How long a hold may be `publishing` before a sweeper asks the engine about it. */
export const PUBLISH_LEASE_MS = 10_000
/** Never send within this of the lease's end: the hold may be given away meanwhile. */
const PUBLISH_MARGIN_MS = 2_000

/** What became of a call. */
export type Published =
  /** `replaced`: the calls whose place it took. */
  | { readonly outcome: 'published'; readonly replaced?: readonly string[] }
  | { readonly outcome: 'parked'; readonly behind: Holder; readonly replaced?: readonly string[] }
  | { readonly outcome: 'coalesced'; readonly into: string; readonly behind: Holder }
  | { readonly outcome: 'refused'; readonly holder: Holder; readonly remainingMs: number; readonly full: boolean }
  | { readonly outcome: 'finished'; readonly record: OutcomeRecord }

export interface PublishPorts {
  readonly store: LockStore
  readonly engine: Engine
  /** Epoch ms by the store's clock. */
  readonly now: () => number
  /** Takes a published message's confirmation: batched, never awaited by the caller. */
  readonly confirm: (message: Message) => void
  /** Settles a hold that stands in the way and whose time is over, by the engine's word. */
  readonly settle: (doubt: Doubt) => Promise<unknown>
}

/**
 * One call on its way: key, then engine, then a confirmation. Dies it between any two, the message is either with the
 * engine under its id, or its hold ends with the publish lease.
 */
export async function publishGuarded(ports: PublishPorts, message: Message): Promise<Published> {
  if (!message.lock.held) {
    await send(ports, message)
    return { outcome: 'published' }
  }
  const sentAt = performance.now()
  const answer = await acquire(ports, message)
  if (answer.outcome === 'granted') {
    const published = await publishHeld(ports, message, sentAt)
    const { replaced } = answer
    return replaced && published.outcome === 'published' ? { ...published, replaced } : published
  }
  if (answer.outcome === 'repeated') return { outcome: 'published' }
  return answer
}

async function acquire(ports: PublishPorts, message: Message): Promise<AcquireAnswer> {
  const request = {
    key: message.lock.key,
    messageId: message.id,
    round: message.round,
    terms: termsOf(message),
    whenHeld: instructionFor(message.lock),
    publishLeaseMs: PUBLISH_LEASE_MS,
    message: encodeMessage(message),
    resultMs: message.resultMs,
  }
  const answer = await ports.store.acquire(request)
  if (answer.outcome !== 'refused' || answer.doubt === null) return answer
  await ports.settle(answer.doubt)
  return ports.store.acquire(request)
}

async function publishHeld(ports: PublishPorts, message: Message, sentAt: number): Promise<Published> {
  if (performance.now() - sentAt > PUBLISH_LEASE_MS - PUBLISH_MARGIN_MS) return publishGuarded(ports, message)
  await send(ports, message)
  ports.confirm(message)
  return { outcome: 'published' }
}

async function send(ports: PublishPorts, message: Message): Promise<void> {
  await ports.engine.publish(message, { delayMs: delayOf(message, ports.now()), head: false })
}

/** How long the engine keeps a message back. */
export function delayOf(message: Message, now: number): number {
  return message.notBefore === null ? 0 : Math.max(0, Math.ceil(message.notBefore - now))
}

/** What the lock record keeps of a message. */
export function termsOf(message: Message): HoldTerms {
  const { label, guarded, limit, mode, timeoutMs } = message.lock
  const { task, queue, notBefore, expiresAt } = message
  return { task, label, queue, limit, mode, timeoutMs, guarded, notBefore, expiresAt }
}
