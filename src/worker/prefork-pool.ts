import { setTimeout as sleep } from 'node:timers/promises'
import { makeProcessFolder, type ProcessFolder } from '../lock/process-folder.js'
import type { BodyEnd, BodyRequest, UnstartedReason } from '../task-base/body.js'
import { decodeMessage } from '../task-base/message.js'
import { Child, type ChildOptions } from './child.js'
import type { AbortReason, Pool, PoolChild } from './pool.js'

export interface PreforkOptions extends Omit<ChildOptions, 'spill'> {
  /** How many children. */
  readonly size: number
  /** How long a body waits for a child before it ends unstarted, ms; default 10 s. */
  readonly startWaitMs?: number
  /** Told of trouble that mends itself: a child that did not start, with its own message, once as long as it repeats. */
  readonly onTrouble: (error: Error) => void
}

/** How the first child of a place fared. */
type FirstStart = 'ready' | Error

interface Waiting {
  readonly body: BodyRequest
  readonly end: (how: BodyEnd) => void
  readonly late: NodeJS.Timeout
}

/** A child that dies is replaced within a fraction of this, unless its start hangs or fails. */
const START_WAIT_MS = 10_000
const BACKOFF_MIN_MS = 200
const BACKOFF_MAX_MS = 10_000
/** A child that was given nothing and did not live this long counts as a failed start: replacing it at once would spin. */
const STEADY_MS = 1000

/** A fixed number of child processes, each replaced when it dies; a body is run in one of them. */
export class PreforkPool implements Pool {
  readonly #options: PreforkOptions
  readonly #spill: ProcessFolder
  readonly #children = new Set<Child>()
  /** Those that became ready. */
  readonly #living = new Set<Child>()
  readonly #idle: Child[] = []
  readonly #waiting: Waiting[] = []
  readonly #closing = new AbortController()
  readonly #seats: Promise<void>[] = []
  #started = false
  #serving = true
  #tellServing: (serving: boolean) => void = () => {}
  #reported: string | undefined

  constructor(options: PreforkOptions) {
    this.#options = options
    this.#spill = makeProcessFolder('body')
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

  onServing(listener: (serving: boolean) => void): void {
    this.#tellServing = listener
    if (!this.#serving) listener(false)
  }

  run(body: BodyRequest): Promise<BodyEnd> {
    if (this.#closing.signal.aborted) return Promise.resolve(unstarted('shutdown'))
    if (!this.#serving) return Promise.resolve(unstarted('no child'))
    const child = this.#takeIdle()
    return child ? this.#runIn(child, body) : this.#wait(body)
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
      if (how === 'now' || !this.#living.has(child)) child.kill('shutdown')
      else if (this.#idle.includes(child)) void child.stop()
    }
    await Promise.all(this.#seats)
    this.#spill.remove()
  }

  /** One place: a child, and after it the next, until the pool closes. `told` hears of the first. */
  async #keepSeat(told: (first: FirstStart) => void): Promise<void> {
    let failures = 0
    while (!this.#closing.signal.aborted) {
      const failure = await this.#oneLife(told).catch(asError)
      if (!failure && failures > 0) this.#reported = undefined
      failures = failure ? failures + 1 : 0
      if (!failure) continue
      told(failure)
      if (this.#started && !this.#closing.signal.aborted) {
        this.#report(failure)
        // Once is bad luck: whoever waits may wait for the next.
        if (failures > 1 && this.#living.size === 0) this.#stopServing()
      }
      await this.#backOff(failures)
    }
  }

  /** From a child's start to the end of its group. @throws BeatlockError CHILD_START, or what fork threw. */
  async #oneLife(told: (first: FirstStart) => void): Promise<undefined> {
    const startedAt = performance.now()
    const child = new Child({ ...this.#options, spill: this.#spill.path })
    this.#children.add(child)
    try {
      await child.ready
      told('ready')
      this.#living.add(child)
      this.#serve()
      this.#offer(child)
    } finally {
      await child.gone
      this.#children.delete(child)
      this.#living.delete(child)
      this.#idle.splice(0, this.#idle.length, ...this.#idle.filter((each) => each !== child))
    }
    if (child.runs === 0 && performance.now() - startedAt < STEADY_MS) throw child.endedEarly()
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

  /** Bodies would wait for children that fail one after another, their keys renewed meanwhile: better run elsewhere. */
  #stopServing(): void {
    if (!this.#serving || this.#closing.signal.aborted) return
    this.#serving = false
    this.#tellServing(false)
    for (const { body } of [...this.#waiting]) this.#dropWaiting(body.runId, 'no child')
  }

  #serve(): void {
    if (this.#serving) return
    this.#serving = true
    this.#tellServing(true)
  }

  #wait(body: BodyRequest): Promise<BodyEnd> {
    return new Promise((end) => {
      const late = setTimeout(() => this.#giveUp(body.runId), this.#options.startWaitMs ?? START_WAIT_MS)
      this.#waiting.push({ body, end, late })
    })
  }

  #giveUp(runId: string): void {
    this.#dropWaiting(runId, 'no child')
    if (this.#living.size === 0) this.#stopServing()
  }

  /** A ready child takes who waits, or waits itself. */
  #offer(child: Child): void {
    if (!child.usable) return
    if (this.#closing.signal.aborted) return void child.stop()
    const next = this.#waiting.shift()
    if (!next) return void this.#idle.push(child)
    clearTimeout(next.late)
    void this.#runIn(child, next.body).then(next.end)
  }

  async #runIn(child: Child, body: BodyRequest): Promise<BodyEnd> {
    const end = await child.run(body)
    this.#offer(child)
    return end
  }

  #takeIdle(): Child | undefined {
    for (let child = this.#idle.pop(); child; child = this.#idle.pop()) if (child.usable) return child
    return undefined
  }

  #childOf(runId: string): Child | undefined {
    return [...this.#children].find((child) => child.body?.runId === runId)
  }

  #dropWaiting(runId: string, why: UnstartedReason): void {
    const index = this.#waiting.findIndex(({ body }) => body.runId === runId)
    if (index < 0) return
    const [dropped] = this.#waiting.splice(index, 1)
    clearTimeout(dropped?.late)
    dropped?.end(unstarted(why))
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

function unstarted(why: UnstartedReason): BodyEnd {
  return { end: 'unstarted', why }
}
