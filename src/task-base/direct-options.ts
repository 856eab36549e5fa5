import { type Duration, parseDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import { type LockKey, lockKey } from '../lock/key.js'
import { printable } from '../lock/printable.js'
import { suggest } from '../lock/suggest.js'
import { keyOf } from './key-argument.js'
import { readGuard } from './once.js'

/** How code is guarded without a task. */
export interface DirectOptions {
  /** With the name, what makes the key: any JSON value. Default: one lock for the name. */
  readonly key?: unknown
  /** What happens when the key is held: `skip` (default), or `raise`, which throws `AlreadyQueued`. */
  readonly overlap?: 'skip' | 'raise'
  /** Stand in line for the key this long at most, in order of asking, before `overlap` applies. Default: not at all. */
  readonly wait?: Duration
  /**
   * As for tasks: how long the key may be held **without running**; at least 1 s, default 1 h. Bounds the wait. What runs
   * is bounded by nothing but its own end: its lease is renewed.
   */
  readonly timeout?: Duration
}

/** The options as read once, defaults filled. */
export interface DirectCall {
  readonly name: string
  readonly key: LockKey
  /** For people: name and key value. */
  readonly label: string
  readonly overlap: 'skip' | 'raise'
  readonly waitMs: number
  readonly timeoutMs: number
}

const NAMES = ['key', 'overlap', 'wait', 'timeout']
const TIMEOUT_MS = 3_600_000

/** Pure. `where` names the caller for the error's sentence. @throws UsageError that names option, value and cure. */
export function readDirectCall(where: string, name: unknown, options: DirectOptions): DirectCall {
  const known = readDirectName(where, name)
  const at = `${where} '${known}'`
  refuseUnknown(at, options, NAMES)
  const timeoutMs =
    options.timeout === undefined ? TIMEOUT_MS : parseDuration(options.timeout, `${at}: timeout`, { minMs: 1000 })
  const waitMs = options.wait === undefined ? 0 : parseDuration(options.wait, `${at}: wait`)
  if (waitMs > timeoutMs) {
    throw new UsageError(`${at}: wait is longer than timeout (1 h if not given); make it shorter, or raise timeout.`)
  }
  return {
    name: known,
    ...keyAndLabel(known, options.key),
    overlap: readOverlap(at, options.overlap),
    waitMs,
    timeoutMs,
  }
}

/** @throws UsageError */
function readDirectName(where: string, name: unknown): string {
  if (typeof name === 'string' && /^[^\u0000-\u001f\u007f-\u009f]{1,200}$/.test(name) && name.isWellFormed())
    return name
  const shown = printable(JSON.stringify(name) ?? 'nothing')
  throw new UsageError(`${where}: name must be 1 to 200 printable characters such as 'nightly', got ${shown}.`)
}

export function refuseUnknown(where: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null)
    throw new UsageError(`${where}: options must be an object such as { wait: '10s' }, got ${String(options)}.`)
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new UsageError(`${where} has no option '${name}'${suggest(name, known) || '.'}`)
  }
}

/**
 * Hashed once more than a task's: a task of the same name has keys of its own. Its parked calls are messages, ours are
 * waiting processes, and one must never be coalesced into the other.
 */
function keyAndLabel(name: string, value: unknown): { key: LockKey; label: string } {
  const guard = readGuard(name, value === undefined ? { keys: [] } : { key: () => value })
  const { key, label } = keyOf({ name, params: null, defaults: null }, guard, [])
  return { key: lockKey(name, `direct ${key}`), label }
}

function readOverlap(where: string, overlap: unknown): DirectCall['overlap'] {
  if (overlap === undefined) return 'skip'
  if (overlap === 'skip' || overlap === 'raise') return overlap
  if (overlap === 'defer' || overlap === 'queue' || overlap === 'replace') {
    throw new UsageError(
      `${where}: overlap '${overlap}' needs a message that can be kept, and code without a task has none; ` +
        `stand in line with wait: '10s', or make it a task.`,
    )
  }
  if (overlap === 'allow') throw new UsageError(`${where}: overlap 'allow' is no lock; call the function itself.`)
  const guess = typeof overlap === 'string' ? suggest(overlap, ['skip', 'raise']) : ''
  throw new UsageError(`${where}: overlap must be 'skip' or 'raise', got ${JSON.stringify(overlap)}${guess || '.'}`)
}
