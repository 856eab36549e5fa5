import { UsageError } from '../lock/error.js'
import type { LockKey } from '../lock/key.js'
import type { Mode } from '../lock/mode.js'
import type { OverlapPolicy } from '../lock/overlap.js'
import type { Headers } from './header.js'

/** What travels: one call of one task. All instants are epoch ms by the store's clock. */
export interface Message {
  readonly v: 1
  readonly id: string
  readonly app: string
  readonly task: string
  readonly args: readonly unknown[]
  /** Absent: none. */
  readonly headers?: Headers
  readonly queue: string
  /** Raised when a dead letter is queued again. */
  readonly round: number
  /** 0 goes first, then 1 … 2,097,151; null: in order of arrival. */
  readonly priority: number | null
  readonly publishedAt: number
  readonly notBefore: number | null
  readonly expiresAt: number | null
  /** How often the task may ask for a retry; null: as often as its own code says. */
  readonly maxRetries: number | null
  /** How long the result is kept, in ms. */
  readonly resultMs: number
  /** What the call itself says; absent: what its task does. */
  readonly timeLimitMs?: number
  readonly softTimeLimitMs?: number
  readonly ignoreResult?: boolean
  readonly lock: MessageLock
}

/** The message's relation to its key: computed once, at publish. */
export interface MessageLock extends OverlapPolicy {
  readonly key: LockKey
  readonly label: string
  /** False: the publisher did not know the task; the worker that has its code computes key and label at delivery. */
  readonly known: boolean
  /** False: the call has no lock; `key` is its private one. */
  readonly guarded: boolean
  /** Whether the publisher took a hold; else the message meets its policy at delivery. */
  readonly held: boolean
  readonly timeoutMs: number
  readonly limit: number
  readonly mode: Mode
}

/** Where the record says which queue carries a message: none does, a process waits or runs. No queue can have this name. */
export const DIRECT_QUEUE = '~'

/** What the lock record keeps in a message's place for a process that waits for its turn: see direct use. */
export const DIRECT_MARKER = JSON.stringify({ v: 1, direct: true })

export function isDirectMarker(text: string): boolean {
  return text === DIRECT_MARKER
}

const encoded = new WeakMap<Message, string>()

/** The text that the engine and the lock record carry; made once a message, and of one that was read what was read. */
export function encodeMessage(message: Message): string {
  const known = encoded.get(message)
  if (known !== undefined) return known
  const text = JSON.stringify(message)
  encoded.set(message, text)
  return text
}

/**
 * @throws UsageError for text that is no message of a version this process knows. With `version` in its data, another
 * process may know it; else nobody can ever read it.
 */
export function decodeMessage(text: string): Message {
  const message = parse(text)
  if (message?.v !== 1) throw unknownVersion(message?.v)
  const lacks = FIELDS.find(([, fits]) => !fits(message))
  if (lacks) throw new UsageError(`half a message arrived: its ${lacks[0]} is missing or of another kind.`)
  encoded.set(message, text)
  return message
}

/** What no step could do without. A whole message has more, which its publisher wrote in the same breath. */
const FIELDS: readonly (readonly [name: string, fits: (message: Message) => boolean])[] = [
  ['id', ({ id }) => typeof id === 'string'],
  ['task', ({ task }) => typeof task === 'string'],
  ['args', ({ args }) => Array.isArray(args)],
  ['queue', ({ queue }) => typeof queue === 'string'],
  ['round', ({ round }) => typeof round === 'number'],
  ['publishedAt', ({ publishedAt }) => typeof publishedAt === 'number'],
  ['lock', ({ lock }) => typeof lock === 'object' && lock !== null],
  ['lock.key', ({ lock }) => typeof lock.key === 'string'],
  ['lock.label', ({ lock }) => typeof lock.label === 'string'],
]

function unknownVersion(v: unknown): UsageError {
  const version = typeof v === 'number' || typeof v === 'string' ? v : undefined
  const what =
    version === undefined ? 'something that is no message' : `a message of an unknown version (v: ${version})`
  const data = version === undefined ? {} : { version }
  return new UsageError(`${what} arrived; this process reads v 1.`, { data })
}

function parse(text: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Message) : undefined
  } catch (cause) {
    throw new UsageError('a message arrived that is not JSON.', { cause })
  }
}
