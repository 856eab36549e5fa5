import type { DeadLetter } from '../lock/dead-letter.js'
import { holdsAtPublish } from '../lock/mode.js'
import type { FinalOutcome } from '../lock/outcome.js'
import type { Connection } from './connection.js'
import { type HolderInfo, holderInfo } from './error.js'
import { decodeMessage, type Message } from './message.js'
import type { Published } from './publish-guard.js'

/** One message that was given up. Times are ISO 8601, UTC. */
export interface DeadLetterInfo {
  readonly app: string
  /** Message id: what the other verbs take. */
  readonly id: string
  readonly key: string
  readonly task: string
  readonly label: string
  readonly queue: string
  /** MAX_DELIVERIES: started three times without an end. LOCK_LOST: cut off for good. UNKNOWN_TASK: no worker knows it. */
  readonly code: string
  /** How often it was queued again before. */
  readonly round: number
  readonly buriedAt: string
}

export interface DeadLetterDetail extends DeadLetterInfo {
  /** Null: the task hides its arguments (`redact`), or locks and no worker has told whether it does. */
  readonly args: readonly unknown[] | null
  readonly publishedAt: string
}

/** What became of a dead letter that was to be queued again; only `refused` and `unknown` leave things as they are. */
export type Requeued =
  | { readonly outcome: 'published'; readonly round: number }
  | { readonly outcome: 'parked'; readonly round: number; readonly behind: HolderInfo }
  /** Another parked call runs for it. */
  | { readonly outcome: 'coalesced'; readonly round: number; readonly into: string }
  /** Somebody has the key, and the call's policy does not wait: the letter stays. */
  | { readonly outcome: 'refused'; readonly holder: HolderInfo }
  /** It had been queued again before, and ended so. */
  | { readonly outcome: 'finished'; readonly ended: FinalOutcome }
  | { readonly outcome: 'unknown' }

/**
 * Messages that were given up: at most 1,000 and 64 MB of an app, for 7 days, whole, on the locks' server. A task that threw or ran
 * into its time limit has failed, which is a result and no dead letter.
 */
export class DeadLetters {
  readonly #open: () => Promise<Connection>
  readonly #publish: (message: Message) => Promise<Published>

  constructor(open: () => Promise<Connection>, publish: (message: Message) => Promise<Published>) {
    this.#open = open
    this.#publish = publish
  }

  /** The newest first; of all apps of the server with `allApps`. */
  async list(options: { readonly allApps?: boolean } = {}): Promise<DeadLetterInfo[]> {
    const { store } = await this.#open()
    return (await store.dead.list({ allApps: options.allApps ?? false })).map(infoOf)
  }

  /** One letter with its arguments, or null. */
  async show(id: string): Promise<DeadLetterDetail | null> {
    const { store } = await this.#open()
    const letter = await store.dead.show(id)
    if (!letter) return null
    const { args, publishedAt, lock } = decodeMessage(letter.message)
    // What locks is told of by workers. Where none has, its caller knew whether to hide this, and that did not travel.
    const hidden = (await store.definition(letter.task))?.redact ?? lock.guarded
    return { ...infoOf(letter), args: hidden ? null : args, publishedAt: new Date(publishedAt).toISOString() }
  }

  /**
   * Queues a message again: the same id and arguments, its round raised, `expires` counted anew, an ETA no longer waited
   * for. It passes the publish guard as any call, and so may be parked or refused. The letter goes once the call is
   * durable: repeating this after any failure, or from two places at once, makes one call.
   *
   * @throws PublishUnknown, StoreUnavailable (the letter stays: ask again)
   */
  async requeue(id: string): Promise<Requeued> {
    const { store, now } = await this.#open()
    const letter = await store.dead.show(id)
    if (!letter) return { outcome: 'unknown' }
    const message = anotherRound(decodeMessage(letter.message), letter.round + 1, now())
    // Only its hold would tell that it is queued: without one it must not look finished while it is on its way.
    if (!message.lock.held) await store.reopen(letter)
    const answer = await this.#publish(message)
    if (answer.outcome === 'refused') return { outcome: 'refused', holder: holderInfo(answer.holder) }
    // A hold may end before its message does.
    if (message.lock.held) await store.reopen(letter)
    await store.dead.remove(id, letter.round)
    return requeuedAs(answer, message.round)
  }

  /** Takes a letter away for good. False: there is none. */
  async discard(id: string): Promise<boolean> {
    const { store } = await this.#open()
    const letter = await store.dead.show(id)
    return letter !== null && (await store.dead.remove(id, letter.round)).removed
  }
}

/** The same call, made now. A worker that computed its key may have found it without a hold; now it takes one. Pure. */
export function anotherRound(message: Message, round: number, now: number): Message {
  const { lock, publishedAt, expiresAt } = message
  const held = lock.known && lock.guarded && holdsAtPublish(lock.mode)
  return {
    ...message,
    round,
    publishedAt: Math.round(now),
    notBefore: null,
    expiresAt: expiresAt === null ? null : Math.round(now + expiresAt - publishedAt),
    lock: { ...lock, held },
  }
}

function requeuedAs(answer: Exclude<Published, { outcome: 'refused' }>, round: number): Requeued {
  switch (answer.outcome) {
    case 'published':
      return { outcome: 'published', round }
    case 'parked':
      return { outcome: 'parked', round, behind: holderInfo(answer.behind) }
    case 'coalesced':
      return { outcome: 'coalesced', round, into: answer.into }
    case 'finished':
      return { outcome: 'finished', ended: answer.record.outcome }
  }
}

function infoOf({ app, key, messageId, round, task, label, queue, code, at }: DeadLetter): DeadLetterInfo {
  return { app, id: messageId, key, task, label, queue, code, round, buriedAt: new Date(at).toISOString() }
}
