import canonicalize from 'canonicalize'
import { type Duration, parseDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import { shortened } from '../lock/printable.js'
import type { SharedIncreased, SharedStore } from '../lock/shared.js'
import { suggest } from '../lock/suggest.js'
import { ulid } from '../lock/ulid.js'
import { plainValue } from './argument.js'

export interface SharedOptions {
  /** How long the value is kept, 1 ms … 100 years. Default: until it is deleted. */
  readonly ttl?: Duration
}

/** In bytes. */
const LONGEST_KEY = 200
const LARGEST_VALUE = 16_384
const SHOWN = 40

/**
 * Counters and flags that all processes of an app share, kept on the locks' server: what a global of a module cannot be,
 * since each child of a worker is a process of its own. A value is JSON of at most 16 kB, under a key of 1 … 200 bytes
 * without control characters; keys are the app's own. Each verb is one atomic step.
 *
 * It is for small things, not a database: there is no list of keys, and a server that loses its data loses them too. How
 * many keys there are is not bounded: each takes memory (Redis) or a row (Postgres) until it is deleted or its `ttl` is
 * over. A key that is made of something that grows, such as an id, needs a `ttl`.
 *
 * @throws UsageError for a key or value that does not fit: nothing is changed then. StoreUnavailable: a write may have
 * happened or not.
 */
export class Shared {
  readonly #store: () => Promise<SharedStore>

  /** @internal */
  constructor(store: () => Promise<SharedStore>) {
    this.#store = store
  }

  /** The value, or undefined for none. */
  async get<T = unknown>(key: string): Promise<T | undefined> {
    readKey(key)
    const text = await (await this.#store()).get(key)
    return text === null ? undefined : (JSON.parse(text) as T)
  }

  /** Writes a value, whatever was there; without `ttl` it is kept until it is deleted. */
  async set(key: string, value: unknown, options: SharedOptions = {}): Promise<void> {
    const write = { key: readKey(key), value: textOf(key, value), ttlMs: ttlMsOf('set', options) }
    await (await this.#store()).set({ requestId: ulid(), ...write })
  }

  /**
   * Writes `value` only where `expected` is there, undefined meaning nothing; answers whether it did. Compared as JSON:
   * the order of an object's properties does not matter.
   */
  async compareAndSet(key: string, expected: unknown, value: unknown, options: SharedOptions = {}): Promise<boolean> {
    const before = expected === undefined ? null : textOf(key, expected)
    const write = { key: readKey(key), value: textOf(key, value), ttlMs: ttlMsOf('compareAndSet', options) }
    return (await this.#store()).compareAndSet({ requestId: ulid(), expected: before, ...write })
  }

  /**
   * Adds a whole number and answers the sum; what is not there counts as 0. `ttl` begins with the counter, and further
   * steps do not prolong it: a count per hour, say. @throws UsageError also where something else than a whole number is
   * there, and where the sum is not a safe integer.
   */
  async increment(key: string, by = 1, options: SharedOptions = {}): Promise<number> {
    readKey(key)
    if (!Number.isSafeInteger(by))
      throw new UsageError(`shared.increment: by must be a whole number, got \`${String(by)}\` (${typeof by}).`)
    const increase = { key, by, ttlMs: ttlMsOf('increment', options) }
    return sumOf(key, await (await this.#store()).increment({ requestId: ulid(), ...increase }))
  }

  /** How long the value is kept still, in ms; Infinity without an end, undefined where there is no value. */
  async ttl(key: string): Promise<number | undefined> {
    readKey(key)
    const left = await (await this.#store()).ttl(key)
    return left === 'forever' ? Number.POSITIVE_INFINITY : (left ?? undefined)
  }

  /** Answers whether there was a value. */
  async delete(key: string): Promise<boolean> {
    readKey(key)
    return (await this.#store()).delete({ requestId: ulid(), key })
  }
}

function readKey(key: string): string {
  if (typeof key !== 'string')
    throw new UsageError(`shared: a key must be text, got \`${String(key)}\` (${typeof key}).`)
  const bytes = Buffer.byteLength(key)
  if (bytes > 0 && bytes <= LONGEST_KEY && !/[\u0000-\u001f\u007f]/.test(key) && key.isWellFormed()) return key
  throw new UsageError(
    `shared: key '${shortened(key, SHOWN)}' (${bytes} bytes) must be 1 … ${LONGEST_KEY} bytes of text without control characters.`,
  )
}

function textOf(key: string, value: unknown): string {
  const subject = `shared key '${shortened(String(key), SHOWN)}'`
  const text = canonicalize(plainValue(subject, value)) ?? 'null'
  const bytes = Buffer.byteLength(text)
  if (bytes <= LARGEST_VALUE) return text
  throw new UsageError(
    `${subject}: a value of ${bytes} bytes is larger than ${LARGEST_VALUE}; keep large things elsewhere, and here where they are.`,
  )
}

function ttlMsOf(verb: string, options: SharedOptions): number | null {
  for (const name of Object.keys(options)) {
    if (name !== 'ttl') throw new UsageError(`shared.${verb} has no option '${name}'${suggest(name, ['ttl']) || '.'}`)
  }
  return options.ttl === undefined ? null : parseDuration(options.ttl, `shared.${verb}: ttl`, { minMs: 1 })
}

function sumOf(key: string, answer: SharedIncreased): number {
  if (answer.outcome === 'increased') return answer.value
  const why =
    answer.outcome === 'no number'
      ? 'what is there is not a whole number; delete it or take another key'
      : 'the sum would not be a safe integer'
  throw new UsageError(`shared.increment: key '${shortened(key, SHOWN)}' stays as it is: ${why}.`)
}
