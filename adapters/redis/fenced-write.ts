import { type Duration, parseDuration } from '../../src/lock/duration.js'
import { UsageError } from '../../src/lock/error.js'
import { StaleToken } from '../../src/task-base/error.js'
import { type Fence, readFence } from '../../src/task-base/fence.js'
import { refuseUnknown } from '../../src/task-base/unknown-option.js'
import { FENCED_WRITE } from './scripts/fence.js'

/** A client of `ioredis` (one server, Sentinel or Cluster), by what is used of it. */
export interface FencedRedis {
  readonly options?: { readonly keyPrefix?: string | undefined }
  evalsha(sha: string, keys: number, ...args: (string | number | Uint8Array)[]): Promise<unknown>
  eval(script: string, keys: number, ...args: (string | number | Uint8Array)[]): Promise<unknown>
}

/** Name, key, and further arguments; of commands whose one key is their first argument: `['hset', 'totals', 'n', 7]`. */
export type FencedCommand = readonly [name: string, key: string, ...args: readonly (string | number | Uint8Array)[]]

export interface FencedWriteOptions {
  /** Forget a fence that was not used for so long, at least 1 m. Default: never, a small key beside each key written. */
  readonly ttl?: Duration
}

/**
 * Writes to a Redis of yours in one atomic step, but only if no higher token of the lock has written the same keys before.
 *
 * The highest token is kept beside each key, in a key `beatlock:fence:{…}:<app>:<lock>` of the same slot. On a cluster the
 * keys of one call must share a slot: give them one hash tag, `totals:{7}`. All commands run or none, but for one that
 * Redis itself refuses (a list where it wants a hash): those before it stay, as in any script. A lost answer is the
 * client's own error: it may be written; the same token may write again. With `limit` above 1 the older of two runs that are both
 * allowed is refused. Answers Redis' replies, in order.
 *
 * @throws StaleToken (nothing is written), UsageError, and the client's errors.
 * @example await fencedWrite(redis, this.request.lock, [['set', 'report:7', text], ['expire', 'report:7', 3600]])
 */
export async function fencedWrite(
  redis: FencedRedis,
  lock: Fence | undefined,
  commands: readonly FencedCommand[],
  options: FencedWriteOptions = {},
): Promise<unknown[]> {
  const { key, token, space } = readFence('fencedWrite', lock)
  refuseUnknown('fencedWrite', options, ['ttl'])
  const ttlMs = options.ttl === undefined ? 0 : parseDuration(options.ttl, 'fencedWrite: ttl', { minMs: 60_000 })
  for (const command of commandsOf(redis, commands)) check(command)
  const keys = commands.map((command) => command[1])
  const tags = new Set(keys.map((each) => slotTag(`${redis.options?.keyPrefix ?? ''}${each}`)))
  const fences = [...tags].map((tag) => `beatlock:fence:{${tag}}:${space.app}:${key}`)
  const args = commands.flatMap(([name, , ...rest]) => [rest.length, name, ...rest.map(binary)])
  const all = [...fences, ...keys, token, ttlMs, fences.length, ...args]
  const [written, answer] = (await evaluate(redis, fences.length + keys.length, all)) as [number, unknown]
  if (written === 0) throw new StaleToken({ key, token, highest: Number(answer) })
  return answer as unknown[]
}

/** So many arguments fit the stack of Redis' Lua. */
const MOST_ARGUMENTS = 7_000

function commandsOf(redis: FencedRedis, commands: readonly FencedCommand[]): readonly FencedCommand[] {
  if (typeof redis?.evalsha !== 'function' || typeof redis.eval !== 'function')
    throw new UsageError('fencedWrite must be given a client of ioredis.')
  if (Array.isArray(commands) && commands.length > 0) return commands
  throw new UsageError("fencedWrite must be given commands: [['set', 'report:7', text]].")
}

function check(command: FencedCommand): void {
  const [name, key, ...args] = Array.isArray(command) ? command : []
  const shown = JSON.stringify([name, key])
  if (typeof name !== 'string' || name === '' || typeof key !== 'string' || key === '')
    throw new UsageError(`fencedWrite: a command is its name, its key and its arguments, got ${shown}.`)
  for (const arg of args) {
    if (typeof arg === 'string' || arg instanceof Uint8Array || Number.isFinite(arg)) continue
    throw new UsageError(`fencedWrite: arguments are texts, numbers or bytes, got ${String(arg)} in ${shown}.`)
  }
  if (args.length > MOST_ARGUMENTS)
    throw new UsageError(`fencedWrite: ${shown} has more than ${MOST_ARGUMENTS} arguments; write it in parts.`)
}

/** What a cluster hashes of a key. @throws UsageError for a key that no other can share its slot with by a tag. */
function slotTag(key: string): string {
  const [, tag] = /^[^{]*\{([^}]+)\}/.exec(key) ?? []
  if (tag !== undefined) return tag
  if (!key.includes('}')) return key
  throw new UsageError(`fencedWrite: the key '${key}' has braces that are no hash tag; write it without '}'.`)
}

function binary(arg: string | number | Uint8Array): string | number | Buffer {
  return arg instanceof Uint8Array && !Buffer.isBuffer(arg) ? Buffer.from(arg) : (arg as string | number | Buffer)
}

async function evaluate(redis: FencedRedis, keys: number, args: (string | number | Uint8Array)[]): Promise<unknown> {
  try {
    return await redis.evalsha(FENCED_WRITE.sha, keys, ...args)
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
    return redis.eval(FENCED_WRITE.text, keys, ...args)
  }
}
