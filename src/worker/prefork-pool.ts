import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BodyEnd, BodyRequest, KillReason } from '../task-base/body.js'
import { decodeMessage } from '../task-base/message.js'
import { Child, type ChildOptions } from './child.js'
import type { AbortReason, Pool, PoolChild } from './pool.js'

export interface PreforkOptions extends Omit<ChildOptions, 'spill'> {
  /** How many children. */
  readonly size: number
  /** Told of trouble that mends itself: a child that did not start, with its own message, once as long as it repeats. */
  readonly onTrouble: (error: Error) => void
}

/** How the first child of a place fared. */
type FirstStart = 'ready' | Error

interface Waiting {
  readonly body: BodyRequest
  readonly end: (how: BodyEnd) => void
}

const BACKOFF_MIN_MS = 200
const BACKOFF_MAX_MS = 10_000
/** A child that was given nothing and did not live this long counts as a failed start: replacing it at once would spin. */
const STEADY_MS = 1000

/** A fixed number of child processes, each replaced when it dies; a body is run in one of them. */
export class PreforkPool implements Pool {
  readonly #options: PreforkOptions
  readonly #spill: string
  readonly #children = new Set<Child>()
  readonly #idle: Child[] = []
  readonly #waiting: Waiting[] = []
  readonly #closing = new AbortController()
  readonly #seats: Promise<void>[] = []
  #started = false
  #reported: string | undefined

  constructor(options: PreforkOptions) {
    this.#options = options
    // mkdtemp makes it 0700.
    this.#spill = mkdtempSync(join(tmpdir(), 'beatlock-body-'))
  }

  async start(signal?: AbortSignal): Promise<void> {
    const giveUp = () => void this.close('now')
    signal?.addEventListener('abort', giveUp, { once: true })
    const firsts = Array.from(
      { length: this.#options.size },
      () => new Promise<FirstStart>((told) => this.#seats.push(this.#keepSeat(told))),
    )
    const answers = await Promise.all(firsts)
    signal?.removeEventListener('abort', giveUp)
    const failure = answers.find((each) => each !== 'ready')
    if (!signal?.aborted && answers.includes('ready')) {
      this.#started = true
      if (failure) this.#report(failure as Error)
      return
    }
    await this.close('now')
    signal?.throwIfAborted()
    throw failure
  }

  free(): number {
    return this.#closing.signal.aborted ? 0 : Math.max(0, this.#living().length - this.#waiting.length)
  }

  run(body: BodyRequest): Promise<BodyEnd> {
    if (this.#closing.signal.aborted) return Promise.resolve(neverStarted('shutdown'))
    const child = this.#takeIdle()
    if (child) return this.#runIn(child, body)
    return new Promise((end) => this.#waiting.push({ body, end }))
  }

  abort(runId: string, why: AbortReason): void {
    this.#childOf(runId)?.abort(why)
    if (why !== 'soft') this.#dropWaiting(runId, why)
  }

  kill(runId: string, why: 'lost' | 'cancelled' | 'shutdown'): void {
    this.#childOf(runId)?.kill(why)
    this.#dropWaiting(runId, why)
  }

  children(): readonly PoolChild[] {
    return [...this.#children].map(({ pid, body }) => {
      const task = body ? decodeMessage(body.message).task : null
      return { pid, runId: body?.runId ?? null, task }
    })
  }

  async close(how: 'finish' | 'now'): Promise<void> {
    this.#closing.abort()
    for (const { body } of [...this.#waiting]) this.#dropWaiting(body.runId, 'shutdown')
    for (const child of this.#children) {
      if (how === 'now') child.kill('shutdown')
      else if (this.#idle.includes(child)) void child.stop()
    }
    await Promise.all(this.#seats)
    rmSync(this.#spill, { recursive: true, force: true })
  }

  /** One place: a child, and after it the next, until the pool closes. `told` hears of the first. */
  async #keepSeat(told: (first: FirstStart) => void): Promise<void> {
    let failures = 0
    while (!this.#closing.signal.aborted) {
      const life = await this.#oneLife(told).catch(asError)
      if (life instanceof Error) {
        told(life)
        if (this.#started) this.#report(life)
      }
      if (life === 'steady' && failures > 0) this.#reported = undefined
      failures = life === 'steady' ? 0 : failures + 1
      if (failures > 0) await this.#backOff(failures)
    }
  }

  /** From a child's start to the end of its group. @throws BeatlockError CHILD_START, or what fork threw. */
  async #oneLife(told: (first: FirstStart) => void): Promise<'steady' | 'brief'> {
    const startedAt = performance.now()
    const child = new Child({ ...this.#options, spill: this.#spill })
    this.#children.add(child)
    try {
      await child.ready
      told('ready')
      this.#offer(child)
    } finally {
      await child.gone
      this.#children.delete(child)
    }
    return child.runs > 0 || performance.now() - startedAt > STEADY_MS ? 'steady' : 'brief'
  }

  async #backOff(failures: number): Promise<void> {
    const delayMs = Math.min(BACKOFF_MIN_MS * 2 ** (failures - 1), BACKOFF_MAX_MS)
    await sleep(delayMs, undefined, { signal: this.#closing.signal }).catch(() => undefined)
  }

  #report(error: Error): void {
    if (this.#reported === error.message) return
    this.#reported = error.message
    this.#options.onTrouble(error)
  }

  /** A ready child takes who waits, or waits itself. */
  #offer(child: Child): void {
    if (!child.usable) return
    if (this.#closing.signal.aborted) return void child.stop()
    const next = this.#waiting.shift()
    if (next) void this.#runIn(child, next.body).then(next.end)
    else this.#idle.push(child)
  }

  async #runIn(child: Child, body: BodyRequest): Promise<BodyEnd> {
    const end = await child.run(body)
    this.#offer(child)
    return end
  }

  #takeIdle(): Child | undefined {
    this.#idle.splice(0, this.#idle.length, ...this.#living())
    return this.#idle.pop()
  }

  #living(): Child[] {
    return this.#idle.filter((child) => child.usable)
  }

  #childOf(runId: string): Child | undefined {
    return [...this.#children].find((child) => child.body?.runId === runId)
  }

  #dropWaiting(runId: string, why: KillReason): void {
    const index = this.#waiting.findIndex(({ body }) => body.runId === runId)
    if (index >= 0) this.#waiting.splice(index, 1)[0]?.end(neverStarted(why))
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

function neverStarted(why: KillReason): BodyEnd {
  return { end: 'killed', why, detail: 'it had not started', exitSeenNs: process.hrtime.bigint() }
}
