import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { formatDuration } from '../lock/duration.js'
import { BeatlockError } from '../lock/error.js'
import type { Feed } from '../lock/keeper.js'
import { killGroup } from '../worker/process-group.js'
import { backOffMs } from './back-off.js'
import type { BeatLaunch } from './beat-launch.js'
import { EXIT } from './exit.js'
import type { Log } from './log.js'
import type { GlobalFlags } from './program.js'

export interface BeatChildOptions {
  readonly flags: GlobalFlags
  /** The worker's: the beat dies with it. */
  readonly feed: Feed
  readonly log: Log
}

const ENTRY = fileURLToPath(new URL('./beat-entry.js', import.meta.url))
/** A beat that lived this long starts again at once, whatever came before. */
const STEADY_MS = 60_000
const STOP_MS = 10_000

/** The beat of `worker -B`: a process of its own, started again when it dies. */
export class BeatChild {
  readonly #options: BeatChildOptions
  readonly #stopping = new AbortController()
  readonly #kept: Promise<void>
  #child: ChildProcess | undefined
  #failures = 0
  /** Told to end, to be started again. */
  readonly #renewed = new Set<number | undefined>()

  constructor(options: BeatChildOptions) {
    this.#options = options
    this.#kept = this.#keep()
    this.failed = this.#kept.then(() => new Promise<never>(() => {}))
    this.failed.catch(() => undefined)
  }

  /** Rejects when starting it again cannot help. */
  readonly failed: Promise<never>

  /** Ends it, to be started again at once: with new code. */
  renew(): void {
    const child = this.#child
    if (!child) return
    this.#renewed.add(child.pid)
    child.kill('SIGTERM')
    const late = setTimeout(() => this.#child === child && this.#kill(), STOP_MS)
    child.once('exit', () => clearTimeout(late))
  }

  /** Resolves when it is gone. */
  async stop(how: 'warm' | 'cold'): Promise<void> {
    this.#stopping.abort()
    const child = this.#child
    if (how === 'cold') this.#kill()
    else child?.kill('SIGTERM')
    const late = setTimeout(() => this.#kill(), STOP_MS)
    await this.#kept.catch(() => undefined)
    clearTimeout(late)
  }

  async #keep(): Promise<void> {
    const { signal } = this.#stopping
    let lives = 0
    while (!signal.aborted) {
      const startedAt = performance.now()
      const [pid, how] = await this.#live()
      if (signal.aborted) return
      lives += 1
      if (this.#renewed.delete(pid)) continue
      // Later on it is new code that is wrong: what runs without it goes on.
      if (how === EXIT.usage && lives === 1)
        throw new BeatlockError('BEAT', 'beat cannot start: see its message above.')
      this.#failures = performance.now() - startedAt > STEADY_MS ? 1 : this.#failures + 1
      const pauseMs = backOffMs(this.#failures)
      this.#options.log.warn(`beat ended (${how}); starting it again in ${formatDuration(pauseMs)}`)
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
    }
  }

  /** One life of the process, from its fork to its exit. In a group of its own: a terminal's Ctrl-C is ours to judge. */
  async #live(): Promise<[pid: number | undefined, how: number | string]> {
    const { flags, feed } = this.#options
    const child = fork(ENTRY, ['beat', '-A', flags.A ?? ''], {
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#child = child
    const launch: BeatLaunch = { feed: { path: feed.path, ticket: feed.ticket() }, flags }
    // A child that is gone already is told by its exit.
    child.send(launch, () => {})
    const [code, signal] = await exitOf(child)
    this.#child = undefined
    return [child.pid, code ?? signal ?? 'gone']
  }

  #kill(): void {
    if (this.#child?.pid !== undefined) killGroup(this.#child.pid)
  }
}

async function exitOf(child: ChildProcess): Promise<[number | null, string | null]> {
  try {
    return (await once(child, 'exit')) as [number | null, string | null]
  } catch (error) {
    return [null, (error as Error).message]
  }
}
