import { setTimeout as sleep } from 'node:timers/promises'
import { makeProcessFolder, type ProcessFolder } from '../lock/process-folder.js'
import type { BodyEnd, BodyRequest } from '../task-base/body.js'
import { decodeMessage } from '../task-base/message.js'
import { Child, type ChildOptions } from './child.js'
import { Place } from './place.js'
import type { AbortReason, Pool, PoolChild } from './pool.js'
import { NEVER_RECYCLED, type Recycling } from './recycle.js'
import { unstarted, type Waiting, WaitingLine } from './waiting-line.js'

export interface PreforkOptions extends Omit<ChildOptions, 'spill' | 'weighed'> {
  /** How many children. */
  readonly size: number
  /** When a child is replaced though it is well; default: never. */
  readonly recycling?: Recycling
  /** How long a body waits for a child before it ends unstarted, ms; default 10 s. */
  readonly startWaitMs?: number
  /** Told of trouble that mends itself: a child that did not start, with its own message, once as long as it repeats. */
  readonly onTrouble: (error: Error) => void
}

/** A child that dies is replaced within a fraction of this, unless its start hangs or fails. */
const START_WAIT_MS = 10_000
/** How long a close waits for output that a slow reader holds up, or that an heir of a child outside its group keeps open. */
const LAST_WORDS_MS = 2_000

/** Child processes, each replaced when it dies; a body is run in the one that has waited longest. */
export class PreforkPool implements Pool {
  readonly #options: PreforkOptions
  readonly #spill: ProcessFolder
  readonly #places = new Set<Place>()
  /** In the order in which they became free. */
  readonly #free = new Set<Place>()
  readonly #waiting = new WaitingLine()
  /** Children, dead ones too, whose output is not all passed on. */
  readonly #printing = new Set<Child>()
  #size: number
  #running = 0
  #closing = false
  #serving = true
  #tellServing: (serving: boolean) => void = () => {}
  #reported: string | undefined
  #reloading: Promise<unknown> = Promise.resolve()
  /** Asked for and not begun. */
  #nextReload: Promise<'reloaded' | 'closed'> | undefined

  constructor(options: PreforkOptions) {
    this.#options = options
    this.#size = options.size
    this.#spill = makeProcessFolder('body')
  }

  async start(signal?: AbortSignal): Promise<void> {
    const giveUp = () => void this.close('now')
    signal?.addEventListener('abort', giveUp, { once: true })
    const failure = await firstFailure(this.#open(this.#size))
    signal?.removeEventListener('abort', giveUp)
    if (!signal?.aborted && this.#canServe()) {
      if (failure) this.#report(failure)
      return
    }
    await this.close('now')
    signal?.throwIfAborted()
    throw failure
  }

  get size(): number {
    return this.#size
  }

  async resize(size: number): Promise<void> {
    if (this.#closing) return
    const open = [...this.#places].filter((place) => !place.closing)
    this.#size = size
    if (open.length > size) return leave(open, open.length - size)
    const added = this.#open(size - open.length)
    const failure = await firstFailure(added)
    if (this.#size !== size || this.#closing || !failure) return
    if (added.some((place) => place.serving)) return this.#report(failure)
    this.#size = open.length
    leave(added, added.length)
    throw failure
  }

  /** One that waits for its turn serves all who ask meanwhile: it loads what is there when it begins. */
  reload(): Promise<'reloaded' | 'closed'> {
    this.#nextReload ??= this.#reloading.then(() => this.#renewAll())
    this.#reloading = this.#nextReload.catch(() => undefined)
    return this.#nextReload
  }

  onServing(listener: (serving: boolean) => void): void {
    this.#tellServing = listener
    if (!this.#serving) listener(false)
  }

  run(body: BodyRequest): Promise<BodyEnd> {
    if (this.#closing) return Promise.resolve(unstarted('shutdown'))
    if (!this.#serving) return Promise.resolve(unstarted('no child'))
    const place = this.#takeFree()
    return place ? this.#runIn(place, body) : this.#wait(body)
  }

  abort(runId: string, why: AbortReason): void {
    this.#childOf(runId)?.abort(why)
    if (why !== 'soft') this.#waiting.drop(runId, why)
  }

  kill(runId: string, why: 'lost' | 'cancelled' | 'shutdown'): void {
    this.#childOf(runId)?.kill(why)
    this.#waiting.drop(runId, why)
  }

  children(): readonly PoolChild[] {
    return this.#children().map(({ pid, body }) => {
      const task = body ? decodeMessage(body.message).task : null
      return { pid, runId: body?.runId ?? null, task }
    })
  }

  async close(how: 'finish' | 'now'): Promise<void> {
    this.#closing = true
    this.#waiting.dropAll('shutdown')
    await Promise.all([...this.#places].map((place) => place.close(how)))
    await Promise.race([
      Promise.all([...this.#printing].map((child) => child.silent)),
      sleep(LAST_WORDS_MS, undefined, { ref: false }),
    ])
    this.#spill.remove()
  }

  async #renewAll(): Promise<'reloaded' | 'closed'> {
    this.#nextReload = undefined
    for (const place of [...this.#places]) await place.renew()
    return this.#closing ? 'closed' : 'reloaded'
  }

  #open(count: number): readonly Place[] {
    const { recycling = NEVER_RECYCLED } = this.#options
    return Array.from({ length: count }, () => {
      const place = new Place({
        ...recycling,
        create: () => this.#create(recycling.maxMemoryBytes !== null),
        freed: (free) => this.#offer(free),
        failed: (error, failures) => this.#failed(error, failures),
        recovered: () => (this.#reported = undefined),
      })
      this.#places.add(place)
      void place.ended.then(() => this.#places.delete(place))
      return place
    })
  }

  #create(weighed: boolean): Child {
    const child = new Child({ ...this.#options, spill: this.#spill.path, weighed })
    this.#printing.add(child)
    void child.silent.then(() => this.#printing.delete(child))
    return child
  }

  #children(): readonly Child[] {
    return [...this.#places].flatMap((place) => place.children)
  }

  #failed(error: Error, failures: number): void {
    this.#report(error)
    // Once is bad luck: whoever waits may wait for the next.
    if (failures > 1 && !this.#canServe()) this.#stopServing()
  }

  #report(error: Error): void {
    if (this.#reported === error.message) return
    this.#reported = error.message
    this.#options.onTrouble(error)
  }

  #canServe(): boolean {
    return [...this.#places].some((place) => place.serving)
  }

  /** Bodies would wait for children that fail one after another, their keys renewed meanwhile: better run elsewhere. */
  #stopServing(): void {
    if (!this.#serving || this.#closing) return
    this.#serving = false
    this.#tellServing(false)
    this.#waiting.dropAll('no child')
  }

  #serve(): void {
    if (this.#serving) return
    this.#serving = true
    this.#tellServing(true)
  }

  #wait(body: BodyRequest): Promise<BodyEnd> {
    const patienceMs = this.#options.startWaitMs ?? START_WAIT_MS
    return this.#waiting.add(body, { patienceMs, late: () => this.#giveUp(body.runId) })
  }

  #giveUp(runId: string): void {
    this.#waiting.drop(runId, 'no child')
    if (!this.#canServe()) this.#stopServing()
  }

  #offer(place: Place): void {
    if (this.#closing || !place.free) return
    this.#serve()
    this.#free.add(place)
    this.#fill()
  }

  /** Who waits gets what is free. */
  #fill(): void {
    while (this.#waiting.length > 0) {
      const place = this.#takeFree()
      if (!place) return
      const next = this.#waiting.next() as Waiting
      void this.#runIn(place, next.body).then(next.end)
    }
  }

  /** None while as many bodies run as may: a place can have one in a child that leaves, and a free child beside it. */
  #takeFree(): Place | undefined {
    if (this.#running >= this.#size) return undefined
    for (const place of this.#free) {
      this.#free.delete(place)
      if (place.free) return place
    }
    return undefined
  }

  async #runIn(place: Place, body: BodyRequest): Promise<BodyEnd> {
    this.#running += 1
    const end = await place.run(body)
    this.#running -= 1
    this.#fill()
    return end
  }

  #childOf(runId: string): Child | undefined {
    return this.#children().find((child) => child.body?.runId === runId)
  }
}

/** Once each has told how its first child fared. */
async function firstFailure(places: readonly Place[]): Promise<Error | undefined> {
  const firsts = await Promise.all(places.map((place) => place.first))
  return firsts.find((first) => first !== 'ready') as Error | undefined
}

/** Closes so many of them: those without a child first, then those without a body. */
function leave(places: readonly Place[], count: number): void {
  const rank = (place: Place) => (place.serving ? (place.free ? 1 : 2) : 0)
  const leaving = [...places].sort((a, b) => rank(a) - rank(b)).slice(0, count)
  for (const place of leaving) void place.close('finish')
}
