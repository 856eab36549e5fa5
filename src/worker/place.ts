import { setTimeout as sleep } from 'node:timers/promises'
import type { BodyEnd, BodyRequest } from '../task-base/body.js'
import type { Child } from './child.js'
import { isWornOut, type Recycling, warmsNext } from './recycle.js'
import { restartPauseMs } from './restart-pause.js'

export interface PlaceOptions extends Recycling {
  readonly create: () => Child
  /** Told whenever it may have become free. */
  readonly freed: (place: Place) => void
  /** A child did not start, or ended right after it: the `failures`th in a row. Not told of what `first` or `renew` tells. */
  readonly failed: (error: Error, failures: number) => void
  /** The children start again. */
  readonly recovered: () => void
}

/** How the first child of a place fared. */
export type FirstStart = 'ready' | Error

/** A child that became ready. */
interface Life {
  readonly child: Child
  /** After how many renewals of the place it was started. */
  readonly generation: number
  readonly startedAt: number
  /** When it was given its first body; 0: not yet. */
  servesSince: number
  /** `soon`: the next is warmed, this one goes on. `now`: it leaves as soon as the next is ready. */
  worn: 'no' | 'soon' | 'now'
  gone: boolean
}

/** A child that was given nothing and did not live this long counts as a failed start: replacing it at once would spin. */
const STEADY_MS = 1000

/**
 * One place of a pool: a child, and after it the next, until it is closed. A living child leaves when the next one is
 * ready: recycling and renewal leave no gap.
 */
export class Place {
  /** Tells when the first child is ready, has failed or is no longer wanted. */
  readonly first: Promise<FirstStart>
  /** Resolves when it is closed and no process of it is left. */
  readonly ended: Promise<void>
  readonly #options: PlaceOptions
  readonly #closing = new AbortController()
  /** Each from its start until nothing of its group runs. */
  readonly #children = new Set<Child>()
  #tellFirst: (first: FirstStart) => void = () => {}
  #isNew = true
  #poke: () => void = () => {}
  #life: Life | undefined
  #starting: Child | undefined
  #failures = 0
  /** Before the next start. */
  #pauseMs = 0
  #startMs = 0
  #wanted = 0
  #renewal: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined

  constructor(options: PlaceOptions) {
    this.#options = options
    this.first = new Promise((resolve) => (this.#tellFirst = resolve))
    this.ended = this.#keep()
  }

  get children(): readonly Child[] {
    return [...this.#children]
  }

  /** Whether a child is there that can run bodies. */
  get serving(): boolean {
    return this.#life?.child.usable ?? false
  }

  /** Whether it can be given a body now. */
  get free(): boolean {
    const child = this.#life?.child
    return !!child?.usable && !child.body && !this.closing && !this.#spent(child)
  }

  get closing(): boolean {
    return this.#closing.signal.aborted
  }

  /** Runs one body; the place must be free. */
  async run(body: BodyRequest): Promise<BodyEnd> {
    const life = this.#life as Life
    const ending = life.child.run(body)
    this.#wear(life)
    const end = await ending
    this.#settle(life)
    return end
  }

  /** Replaces its child; resolves when the next is ready. @throws BeatlockError CHILD_START if that does not start: the child stays. */
  renew(): Promise<void> {
    if (this.closing) return Promise.resolve()
    this.#wanted += 1
    return new Promise((resolve, reject) => {
      this.#renewal = { resolve, reject }
      this.#poke()
    })
  }

  /** `finish` waits for running bodies, `now` kills them. Resolves when no process of it is left. */
  async close(how: 'finish' | 'now'): Promise<void> {
    this.#closing.abort()
    for (const child of this.#children) {
      if (how === 'now' || child === this.#starting) child.kill('shutdown')
      else if (!child.body) void child.stop()
    }
    this.#poke()
    await this.ended
  }

  async #keep(): Promise<void> {
    while (!this.closing) {
      const life = this.#life
      if (!life || life.gone || this.#due(life)) await this.#startNext()
      else await this.#lookAfter(life)
    }
    this.#tell(new Error('the pool is closing'))
    this.#settleRenewal()
    await Promise.all(this.children.map((child) => child.gone))
  }

  #due({ generation, worn }: Life): boolean {
    return generation < this.#wanted || worn !== 'no'
  }

  /** Until it is gone, or something is to be done. */
  async #lookAfter(life: Life): Promise<void> {
    await this.#changed(life)
    const steady = life.child.runs > 0 || performance.now() - life.startedAt >= STEADY_MS
    if (steady) this.#recover()
    else if (life.gone && !this.closing) this.#fail(life.child.endedEarly(), life.child)
  }

  async #changed({ child }: Life): Promise<void> {
    await Promise.race([child.gone, new Promise<void>((poked) => (this.#poke = poked))])
  }

  async #startNext(): Promise<void> {
    await this.#backOff()
    if (this.closing) return
    const [generation, startedAt] = [this.#wanted, performance.now()]
    try {
      const child = this.#create()
      await child.ready
      this.#startMs = performance.now() - startedAt
      await this.#standBy()
      if (!this.closing) this.#join({ child, generation, startedAt, servesSince: 0, worn: 'no', gone: false })
    } catch (error) {
      if (!this.closing) this.#fail(error instanceof Error ? error : new Error(String(error)), this.#starting)
    } finally {
      this.#starting = undefined
    }
  }

  #create(): Child {
    const child = this.#options.create()
    this.#starting = child
    this.#children.add(child)
    void child.gone.then(() => this.#children.delete(child))
    return child
  }

  /** The next may be ready before its turn. */
  async #standBy(): Promise<void> {
    for (let life = this.#life; life && !this.closing; life = this.#life) {
      if (life.gone || life.worn !== 'soon' || life.generation < this.#wanted) return
      await this.#changed(life)
    }
  }

  #join(life: Life): void {
    const old = this.#life?.child
    this.#life = life
    void life.child.gone.then(() => (life.gone = true))
    if (old?.usable && !old.body) void old.stop()
    this.#tell('ready')
    if (life.generation === this.#wanted) this.#settleRenewal()
    this.#options.freed(this)
  }

  /** A renewal is given up; for whatever else the next child is wanted, it is tried again. */
  #fail(error: Error, child: Child | undefined): void {
    this.#failures += 1
    this.#pauseMs = restartPauseMs({ failures: this.#failures, killed: child?.killedFromOutside ?? false })
    const told = this.#isNew || this.#renewal !== undefined
    this.#tell(error)
    if (this.#life) this.#wanted = this.#life.generation
    this.#settleRenewal(error)
    if (!told) this.#options.failed(error, this.#failures)
    this.#options.freed(this)
  }

  #tell(first: FirstStart): void {
    this.#isNew = false
    this.#tellFirst(first)
  }

  #settleRenewal(error?: Error): void {
    if (error) this.#renewal?.reject(error)
    else this.#renewal?.resolve()
    this.#renewal = undefined
  }

  #recover(): void {
    if (this.#failures > 0) this.#options.recovered()
    this.#failures = 0
  }

  async #backOff(): Promise<void> {
    if (this.#failures === 0) return
    await sleep(this.#pauseMs, undefined, { signal: this.#closing.signal }).catch(() => undefined)
  }

  /** A child that ran all its bodies waits for the next one, unless that cannot start. */
  #spent({ runs }: Child): boolean {
    const { maxTasks } = this.#options
    return maxTasks !== null && runs >= maxTasks && this.#failures === 0
  }

  #wear(life: Life): void {
    const { maxTasks } = this.#options
    const now = performance.now()
    life.servesSince ||= now
    const { runs } = life.child
    if (maxTasks === null || life.worn !== 'no') return
    if (!warmsNext({ runs, maxTasks, servedMs: now - life.servesSince, startMs: this.#startMs })) return
    life.worn = 'soon'
    this.#poke()
  }

  /** Between two bodies. */
  #settle(life: Life): void {
    const { child } = life
    if (this.closing || life !== this.#life) {
      if (child.usable && !child.body) void child.stop()
      return
    }
    if (isWornOut(child, this.#options)) {
      life.worn = 'now'
      this.#poke()
    }
    this.#options.freed(this)
  }
}
