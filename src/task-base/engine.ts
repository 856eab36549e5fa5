import type { EngineState } from '../lock/doubt.js'
import type { Message } from './message.js'

/** What to do with a delivered message. */
export type Verdict =
  | { readonly verdict: 'ack' }
  /** Deliver it again after this many ms; it keeps its id and counts nothing. */
  | { readonly verdict: 'putBack'; readonly delayMs: number }

/** The same message in a worker's hands. */
export interface Delivery {
  readonly message: Message
  /**
   * Its hands are free again before its verdict: another delivery may begin, though no more than `concurrency` further
   * ones wait for their verdict. Without effect once it was called, and after the verdict.
   */
  readonly free: () => void
}

export interface ConsumeOptions {
  readonly queues: readonly string[]
  /**
   * How many deliveries may be under way at once and not {@link Delivery.free}, over all queues together; as many more may
   * be taken ahead while deliveries are short. See {@link Consumer.resize}.
   */
  readonly concurrency: number
  /** After how long without a sign of life the engine delivers a message again, in ms. */
  readonly redeliverAfterMs: number
  /**
   * Called for each delivery; its verdict acknowledges it or puts it back. It never rejects for what a task did; if it
   * rejects all the same, the message is put back for 5 s.
   */
  readonly deliver: (delivery: Delivery) => Promise<Verdict>
  /** The engine took the verdict. Not called when that is unknown. */
  readonly acknowledged: (message: Message) => void
  /**
   * Trouble that the engine mends by itself, such as a lost connection. At most one a second each. That a message was taken
   * away from whoever has it in hand is none: it comes again, or was purged.
   */
  readonly trouble: (error: Error) => void
}

export interface Consumer {
  /** Takes no further message; deliveries under way go on. */
  pause(): Promise<void>
  /** Takes messages again after a pause. Without effect once closed. */
  resume(): Promise<void>
  /** Takes from one queue more; without effect for one that it has, and once closed. @throws BrokerUnavailable */
  addQueue(queue: string): Promise<void>
  /** Takes nothing more from a queue; deliveries under way go on, and are waited for by `close`. It may be the last one. */
  cancelQueue(queue: string): Promise<void>
  /** Another `concurrency`, from 1. Deliveries beyond a smaller one go on. */
  resize(concurrency: number): Promise<void>
  /** `finish` waits for deliveries under way; `now` leaves them to be delivered again elsewhere. */
  close(how: 'finish' | 'now'): Promise<void>
}

export interface PurgeVisit {
  readonly ended: (message: Message) => Promise<boolean>
  /** Told of those that were removed, some at a time. */
  readonly removed: (messages: readonly Message[]) => Promise<void>
}

/** Carries messages between processes. Decides nothing: no result, attempt or event of it is the truth about a task. */
export interface Engine {
  /**
   * Durable when resolved. The same id and round again is a no-op while that message waits, is delayed or active; once it
   * has ended it is carried anew: whether that is a repeat or a new call, the lock's record says at delivery. Another round
   * of an id is carried beside the earlier one, which may still be on its way to its acknowledgement. `delayMs` ≥ 0.
   */
  publish(message: Message, options: { readonly delayMs: number; readonly head: boolean }): Promise<void>
  /**
   * Where one message is, in its first round (0) unless another is named; `finished` or `absent` once it has ended.
   * @throws BrokerUnavailable
   */
  state(queue: string, messageId: string, round?: number): Promise<EngineState>
  /** A message of that id in its first round that has not ended, or null. @throws BrokerUnavailable */
  peek(queue: string, messageId: string): Promise<Message | null>
  consume(options: ConsumeOptions): Promise<Consumer>
  /** Waiting, delayed and active messages of a queue. */
  counts(queue: string): Promise<{ readonly waiting: number; readonly delayed: number; readonly active: number }>
  /** The first `limit` messages of a queue that wait for their time, the next due first. */
  delayed(queue: string, limit: number): Promise<readonly Message[]>
  /** Queues of this app that something was published to, maybe long ago; in no order. */
  queues(): Promise<readonly string[]>
  /**
   * Shows each message that waits or is delayed by now to `ended`, some at a time, and removes those it answers true for.
   * One that somebody has in hand by then stays. What nobody can read is passed over.
   */
  purge(queue: string, visit: PurgeVisit): Promise<void>
  /** Removes these queues with all they hold. For tests and the demo's end. */
  destroy(queues: readonly string[]): Promise<void>
  close(): Promise<void>
}
