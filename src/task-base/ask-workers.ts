import { COMMAND_MS } from '../lock/command.js'
import { Doorbell } from '../lock/doorbell.js'
import { type Duration, parseDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import type { LockStore } from '../lock/lock-store.js'
import { printable, shortened } from '../lock/printable.js'
import { ulid } from '../lock/ulid.js'
import { WORKER_DEAD_MS } from './locks.js'
import { type CommandBody, type CommandReply, readCommand, type WorkerCommand } from './worker-command.js'

export interface AskOptions {
  /** Names of workers: `w1@db2`, or `w1` for those of that name on all hosts. Default: all that live. */
  readonly destination?: readonly string[]
  /**
   * How long answers are waited for; 100 ms … 10 min. Default 6 s: a worker that is not told at once looks by itself
   * every 4 s. Nobody waits longer than for the last answer.
   */
  readonly timeout?: Duration
  /** Who asks, for the workers' logs. */
  readonly by?: string
}

/** What workers said, by their names. */
export interface Replies<T> {
  readonly answers: Readonly<Record<string, T>>
  /** Of an answer that is a list: how many of it did not fit, where not all did. */
  readonly omitted: Readonly<Record<string, number>>
  /** Who could not do it, and why. */
  readonly failed: Readonly<Record<string, string>>
  /** Who was asked and has not answered in time; it may have done it all the same. */
  readonly silent: readonly string[]
  /** Names given as `destination` that no living worker has. */
  readonly absent: readonly string[]
}

const TIMEOUT_MS = 6_000
/** Where notices cannot be had. */
const LOOK_EVERY_MS = 250
const FROM_LENGTH = 200

/**
 * Asks workers of an app through the store: those that live now, once each. Resolves when all have answered, or after
 * `timeout`; then the command is taken back, so that nobody begins with it any more.
 *
 * Of an app at most 100 commands are under way: where more are asked at once, those whose time ends first give way, and
 * their workers are told as `silent`. Whoever asks often asks one after the other.
 *
 * @throws UsageError, StoreUnavailable
 */
export async function askWorkers<T>(
  store: Pick<LockStore, 'now' | 'workers' | 'commands' | 'listen'>,
  command: WorkerCommand,
  options: AskOptions,
): Promise<Replies<T>> {
  const timeoutMs = parseDuration(options.timeout ?? TIMEOUT_MS / 1_000, 'timeout', { minMs: 100, maxMs: COMMAND_MS })
  const from = shortened(options.by ?? 'app.control', FROM_LENGTH)
  const body: CommandBody = { v: 1, from, command: readCommand(command) }
  const { to, absent } = chosen(await living(store), readDestination(options.destination))
  const given = to.length === 0 ? new Map() : await collect(store, { body: JSON.stringify(body), to, timeoutMs })
  return repliesOf<T>(given, { silent: to.filter((name) => !given.has(name)), absent })
}

async function living(store: Pick<LockStore, 'now' | 'workers'>): Promise<string[]> {
  const rows = await store.workers({ allApps: false })
  const now = await store.now()
  return rows.filter(({ seenAt }) => now - seenAt < WORKER_DEAD_MS).map(({ name }) => name)
}

function readDestination(destination: readonly string[] | undefined): readonly string[] | undefined {
  if (destination === undefined) return undefined
  const named = Array.isArray(destination) && destination.length > 0 && destination.every((name) => name !== '')
  if (named && destination.every((name) => typeof name === 'string')) return destination
  throw new UsageError(`destination must name workers, such as ['w1@db2'], got ${JSON.stringify(destination)}.`)
}

/** Of the living, those that are meant; and which names mean nobody. Pure. */
export function chosen(
  names: readonly string[],
  destination: readonly string[] | undefined,
): { readonly to: readonly string[]; readonly absent: readonly string[] } {
  if (!destination) return { to: [...names].sort(), absent: [] }
  const meant = (wanted: string) => names.filter((name) => name === wanted || name.startsWith(`${wanted}@`))
  return {
    to: [...new Set(destination.flatMap(meant))].sort(),
    absent: [...new Set(destination.filter((wanted) => meant(wanted).length === 0))].map(printable),
  }
}

async function collect(
  { commands, listen }: Pick<LockStore, 'commands' | 'listen'>,
  { body, to, timeoutMs }: { readonly body: string; readonly to: readonly string[]; readonly timeoutMs: number },
): Promise<Map<string, CommandReply>> {
  const id = ulid()
  const given = new Map<string, CommandReply>()
  const bell = new Doorbell()
  const deafen = listen(`answer:${id}`, bell.ring)
  const until = performance.now() + timeoutMs
  try {
    await commands.give({ id, body, to, ttlMs: timeoutMs })
    for (;;) {
      for (const each of await commands.answers(id, [...given.keys()])) given.set(each.worker, replyOf(each.answer))
      const leftMs = until - performance.now()
      if (given.size === to.length || leftMs <= 0) return given
      await bell.wait(Math.min(leftMs, LOOK_EVERY_MS))
    }
  } finally {
    deafen()
    // It ends by itself, where this cannot be said.
    await commands.drop(id).catch(() => undefined)
  }
}

function replyOf(text: string): CommandReply {
  try {
    const reply = JSON.parse(text) as CommandReply
    if (reply.v === 1) return reply
  } catch {
    // As told below.
  }
  return { v: 1, error: 'its answer cannot be read: it is of another version of beatlock' }
}

function repliesOf<T>(
  given: ReadonlyMap<string, CommandReply>,
  others: Pick<Replies<T>, 'silent' | 'absent'>,
): Replies<T> {
  const ordered = [...given].sort(([a], [b]) => (a < b ? -1 : 1))
  const answered = ordered.flatMap(([name, reply]) => ('ok' in reply ? [[name, reply] as const] : []))
  return {
    answers: Object.fromEntries(answered.map(([name, { ok }]) => [name, ok as T])),
    omitted: Object.fromEntries(answered.flatMap(([name, { omitted }]) => (omitted > 0 ? [[name, omitted]] : []))),
    failed: Object.fromEntries(ordered.flatMap(([name, reply]) => ('error' in reply ? [[name, reply.error]] : []))),
    ...others,
  }
}
