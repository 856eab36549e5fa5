import { setTimeout as sleep } from 'node:timers/promises'
import { UsageError } from '../lock/error.js'
import type { Keeper } from '../lock/keeper.js'
import { monotonicNs } from '../lock/trust.js'
import type { App } from '../task-base/app.js'
import type { BodyEnd, BodyRequest } from '../task-base/body.js'
import { LockLost, SoftTimeLimitExceeded, stoppedByLoss } from '../task-base/error.js'
import { decodeMessage } from '../task-base/message.js'
import { writeBodyLine } from './body-log.js'
import { armDeadMan, type DeadMan } from './dead-man.js'
import { limitAfter } from './limit.js'
import type { AbortReason, Pool, PoolChild } from './pool.js'

export interface SoloOptions {
  readonly app: Pick<App, 'execute'>
  readonly keeper: Pick<Keeper, 'feed'>
}

interface Running {
  readonly body: BodyRequest
  readonly controller: AbortController
}

/** How long a cold close waits for a body that was told to stop. */
const COLD_MS = 1000

/**
 * Runs bodies one after another in this very process. A body here cannot be killed alone: limits and `kill` only abort
 * its signal, and when its lease's deadline passes the whole process is ended by SIGKILL.
 */
export class SoloPool implements Pool {
  readonly #options: SoloOptions
  readonly #asked = new Set<string>()
  #deadMan: DeadMan | undefined
  #running: Running | undefined
  #last: Promise<unknown> = Promise.resolve()
  #closing = false

  constructor(options: SoloOptions) {
    this.#options = options
  }

  async start(signal?: AbortSignal): Promise<void> {
    const { path, ticket } = this.#options.keeper.feed
    this.#deadMan = await armDeadMan({ path, ticket: ticket(), kills: 'process' })
    this.#deadMan.onAbort((runId, reason) => this.abort(runId, reason === 'cancelled' ? 'cancelled' : 'lost'))
    if (!signal?.aborted) return
    await this.close('now')
    signal.throwIfAborted()
  }

  get size(): number {
    return 1
  }

  async resize(size: number): Promise<void> {
    if (size !== 1) throw new UsageError('a solo pool runs one at a time: it cannot grow or shrink; use -P prefork.')
  }

  async reload(): Promise<never> {
    throw new UsageError('a solo pool has no children to replace: start the worker again for new code.')
  }

  onServing(): void {
    // It serves for as long as its process lives.
  }

  run(body: BodyRequest): Promise<BodyEnd> {
    this.#asked.add(body.runId)
    const end = this.#last.then(() => this.#runNow(body))
    this.#last = end.catch(() => undefined)
    return end
  }

  abort(runId: string, why: AbortReason): void {
    if (this.#running?.body.runId !== runId) this.#asked.delete(runId)
    else if (why === 'soft') this.#running.controller.abort(limitExceeded(this.#running.body))
    else this.#running.controller.abort(new LockLost(why))
  }

  kill(runId: string, why: 'lost' | 'cancelled' | 'shutdown'): void {
    this.abort(runId, why === 'shutdown' ? 'cancelled' : why)
  }

  children(): readonly PoolChild[] {
    const body = this.#running?.body
    return [{ pid: process.pid, runId: body?.runId ?? null, task: body ? decodeMessage(body.message).task : null }]
  }

  /** `now` leaves a body that does not stop: its run has no end, and its lease none but by running out. */
  async close(how: 'finish' | 'now'): Promise<void> {
    this.#closing = true
    if (how === 'finish') await this.#last
    if (this.#running) this.kill(this.#running.body.runId, 'shutdown')
    await Promise.race([this.#last, sleep(COLD_MS, undefined, { ref: false })])
    await this.#deadMan?.disarm()
  }

  async #runNow(body: BodyRequest): Promise<BodyEnd> {
    // Grant or order may have been long on their way: nothing is begun on a trust that is over.
    if (body.deadlineNs !== null && monotonicNs() >= body.deadlineNs) this.#asked.delete(body.runId)
    if (!this.#asked.has(body.runId) || this.#closing) return this.#neverStarted(body)
    const running = { body, controller: new AbortController() }
    this.#running = running
    if (body.deadlineNs !== null) this.#deadMan?.watch(body.runId, body.deadlineNs)
    const limits = [body.softLimitMs, body.hardLimitMs].flatMap((ms) =>
      limitAfter(ms, () => this.abort(body.runId, 'soft')),
    )
    try {
      const { signal } = running.controller
      const remainingMs = () => this.#remainingMs()
      const verdict = await this.#options.app.execute({ ...body, remainingMs, signal, log: writeBodyLine })
      // That is no end of its message, which runs again wherever the lock is by then.
      if (verdict.end !== 'threw' || !stoppedByLoss(signal)) return verdict
      return { end: 'killed', why: 'lost', detail: 'it stopped by its signal', exitSeenNs: monotonicNs() }
    } finally {
      for (const limit of limits) clearTimeout(limit)
      this.#deadMan?.rest()
      this.#running = undefined
      this.#asked.delete(body.runId)
    }
  }

  #remainingMs(): number {
    const untilNs = this.#deadMan?.deadlineNs()
    return untilNs === undefined ? Number.POSITIVE_INFINITY : Math.max(0, Number(untilNs - monotonicNs()) / 1e6)
  }

  #neverStarted({ runId }: BodyRequest): BodyEnd {
    const why = this.#asked.delete(runId) ? 'shutdown' : 'lost'
    return { end: 'unstarted', why }
  }
}

function limitExceeded({ softLimitMs, hardLimitMs }: BodyRequest): SoftTimeLimitExceeded {
  return new SoftTimeLimitExceeded(softLimitMs ?? hardLimitMs ?? 0)
}
