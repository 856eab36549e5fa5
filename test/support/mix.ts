import { setTimeout as sleep } from 'node:timers/promises'
import type { Backend } from './backends.js'
import { processState } from './body-log.js'
import { type Fleet, type PublisherMember, startFleet, type WorkerMember } from './fleet.js'
import { type Random, randomFrom } from './random.js'

export interface MixOptions {
  readonly backend: Pick<Backend, 'url' | 'crash' | 'restart'>
  readonly seed: number
  readonly ms: number
  /** On a busy machine a round goes on until so many bodies have run, for at most five times `ms`; default 0. */
  readonly bodies?: number
  readonly workers: number
  readonly publishers: number
  /** Ends the round early: it heals and is checked all the same. */
  readonly signal?: AbortSignal
}

/** What one round of the mix did, and what was wrong with it. */
export interface MixReport {
  readonly seed: number
  /** Faults by kind. */
  readonly faults: Readonly<Record<string, number>>
  readonly calls: Readonly<Record<string, number>>
  readonly endings: Readonly<Record<string, number>>
  readonly starts: number
  readonly violations: readonly string[]
}

const KEYS = 4
const LONGEST_TIMES = 5
const LONGEST_BODY_MS = 400
const LONGEST_PAUSE_MS = 7_500

type Fault =
  | 'kill child'
  | 'kill parent'
  | 'kill publisher'
  | 'pause child'
  | 'pause parent'
  | 'stop worker'
  | 'restart server'
/** Children die often, since that costs no lease. */
const FAULTS: readonly Fault[] = [
  ...Array<Fault>(5).fill('kill child'),
  'kill parent',
  'kill publisher',
  'pause child',
  'pause parent',
  'stop worker',
  'restart server',
]

/** Workers and publishers at work on few keys while faults strike at random; heals, comes to rest, checks. */
export async function runMix(options: MixOptions): Promise<MixReport> {
  const fleet = startFleet({ url: options.backend.url })
  try {
    const crew = new Crew(fleet, options)
    await crew.start()
    const faults = await crew.suffer()
    await crew.heal()
    const violations = await fleet.check({ withinMs: 60_000 })
    const calls = tally(fleet.acks().map(({ outcome }) => outcome))
    const endings = tally([...(await fleet.endings()).values()].map((ending) => ending?.outcome ?? 'none'))
    return { seed: options.seed, faults, calls, endings, starts: startsOf(fleet), violations }
  } finally {
    await fleet.end()
  }
}

/** A class: who is there changes with every fault. */
class Crew {
  readonly #fleet: Fleet
  readonly #options: MixOptions
  readonly #random: Random
  readonly #workers: WorkerMember[] = []
  readonly #publishers: PublisherMember[] = []
  readonly #waking: Promise<void>[] = []
  #started = 0

  constructor(fleet: Fleet, options: MixOptions) {
    this.#fleet = fleet
    this.#options = options
    this.#random = randomFrom(options.seed)
  }

  async start(): Promise<void> {
    const { workers, publishers } = this.#options
    await Promise.all([
      ...Array.from({ length: workers }, () => this.#hire()),
      ...Array.from({ length: publishers }, () => this.#publish()),
    ])
  }

  async suffer(): Promise<Record<string, number>> {
    const from = performance.now()
    const struck: Fault[] = []
    const { signal, ms, bodies = 0 } = this.#options
    const passed = (times: number): boolean => performance.now() - from > times * ms
    while (!passed(1) || (!passed(LONGEST_TIMES) && startsOf(this.#fleet) <= bodies)) {
      await sleep(200 + this.#random.below(800), undefined, { signal }).catch(() => undefined)
      if (signal?.aborted) break
      const fault = this.#random.of(FAULTS)
      if (await this.#strike(fault)) struck.push(fault)
    }
    return tally(struck)
  }

  /** Everyone awake, at least one worker there, and no more calls. */
  async heal(): Promise<void> {
    await Promise.all(this.#waking)
    await Promise.all(this.#publishers.map((publisher) => publisher.stop()))
    if (this.#workers.every((worker) => worker.exited())) await this.#hire()
  }

  async #strike(fault: Fault): Promise<boolean> {
    const worker = this.#random.of(this.#workers)
    if (fault === 'kill publisher') {
      await this.#take(this.#publishers).kill()
      await this.#publish()
      return true
    }
    if (fault === 'restart server') {
      await this.#options.backend.crash()
      await this.#options.backend.restart()
      return true
    }
    if (processState(worker.pid) !== 'running') return false
    if (fault === 'kill parent' || fault === 'stop worker') {
      this.#workers.splice(this.#workers.indexOf(worker), 1)
      if (fault === 'kill parent') this.#fleet.kill(worker.pid)
      await Promise.all([worker.stop(), this.#hire()])
      return true
    }
    const pid = fault === 'pause parent' ? worker.pid : this.#random.of(worker.children())
    if (pid === undefined) return false
    if (fault === 'kill child') this.#fleet.kill(pid)
    else this.#pause(pid)
    return true
  }

  #pause(pid: number): void {
    const paused = this.#fleet.pause([pid])
    this.#waking.push(sleep(this.#random.below(LONGEST_PAUSE_MS)).then(() => paused.wake()))
  }

  #take<T>(from: T[]): T {
    return from.splice(this.#random.below(from.length), 1)[0] as T
  }

  async #hire(): Promise<void> {
    this.#started += 1
    this.#workers.push(await this.#fleet.worker(`w${this.#started}`, { concurrency: 2 }))
  }

  async #publish(): Promise<void> {
    const publisher = await this.#fleet.publisher()
    this.#publishers.push(publisher)
    const ms = LONGEST_TIMES * this.#options.ms
    const hammer = { seed: this.#random.below(2 ** 31), ms, keys: KEYS, longestMs: LONGEST_BODY_MS }
    // Its end is the end of the round, or a kill.
    void publisher.hammer(hammer).catch(() => undefined)
  }
}

function startsOf(fleet: Fleet): number {
  return fleet.lines().filter(({ event }) => event === 'start').length
}

function tally(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of [...names].sort()) counts[name] = (counts[name] ?? 0) + 1
  return counts
}
