import { setTimeout as sleep } from 'node:timers/promises'
import type { Backend } from './backends.js'
import { processState } from './body-log.js'
import type { Judgement } from './checker.js'
import { through } from './fault-process.js'
import { type Fleet, type PublisherMember, startFleet, type WorkerMember } from './fleet.js'
import { type Random, randomFrom } from './random.js'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js'

export interface MixOptions {
  readonly backend: Pick<Backend, 'url' | 'port' | 'crash' | 'restart' | 'strikes' | 'losses' | 'env'>
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
  readonly judgements: readonly Judgement[]
  readonly violations: readonly string[]
}

const KEYS = 4
const LONGEST_TIMES = 5
const LONGEST_BODY_MS = 400
const LONGEST_PAUSE_MS = 7_500

/** Longer than a lease, at most. */
const LONGEST_CUT_MS = 7_500
const SLOW_MS = 400
const BETWEEN_LOSSES_MS = 12_000

/** Children die often, since that costs no lease. Those of the backend's own are named by it. */
const FAULTS = [
  ...Array<'kill child'>(6).fill('kill child'),
  'kill parent',
  'kill publisher',
  'pause child',
  'pause parent',
  'stop worker',
  'restart server',
  'cut worker off',
  'mute replies',
  'lose a reply',
  'lose a reply',
  'slow network',
] as const
type Fault = (typeof FAULTS)[number]

/** Workers and publishers at work on few keys while faults strike at random; heals, comes to rest, checks. */
export async function runMix(options: MixOptions): Promise<MixReport> {
  const fleet = startFleet({ url: options.backend.url })
  const crew = new Crew(fleet, options)
  try {
    await crew.start()
    const faults = await crew.suffer()
    await crew.heal()
    const judgements = await fleet.judge({ withinMs: 60_000 })
    const violations = judgements.flatMap(({ found }) => found)
    const calls = tally(fleet.acks().map(({ outcome }) => outcome))
    const endings = tally([...(await fleet.endings()).values()].map((ending) => ending?.outcome ?? 'none'))
    return { seed: options.seed, faults, calls, endings, starts: startsOf(fleet), judgements, violations }
  } finally {
    await crew.heal().catch(() => undefined)
    await fleet.end()
    await crew.leave()
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
  /** Each worker's way to the server. */
  readonly #proxies = new Map<WorkerMember, TcpProxy>()
  readonly #faults: readonly string[]
  #started = 0
  #lostAt = Number.NEGATIVE_INFINITY

  constructor(fleet: Fleet, options: MixOptions) {
    this.#fleet = fleet
    this.#options = options
    this.#random = randomFrom(options.seed)
    const { strikes = {}, losses } = options.backend
    // A server that forgets has restarts of another kind.
    const common = FAULTS.filter((fault) => !losses || fault !== 'restart server')
    this.#faults = [...common, ...Object.keys({ ...strikes, ...losses })]
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
    const struck: string[] = []
    const { signal, ms, bodies = 0 } = this.#options
    const passed = (times: number): boolean => performance.now() - from > times * ms
    while (!passed(1) || (!passed(LONGEST_TIMES) && startsOf(this.#fleet) <= bodies)) {
      await sleep(200 + this.#random.below(800), undefined, { signal }).catch(() => undefined)
      if (signal?.aborted) break
      const fault = this.#random.of(this.#faults)
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

  /** The proxies stay until the fleet has ended: its workers speak through them to the last. */
  async leave(): Promise<void> {
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy.stop()))
  }

  /** Answers whether it came to pass. */
  async #strike(fault: string): Promise<boolean> {
    const loss = this.#options.backend.losses?.[fault]
    if (loss) return this.#lose(loss)
    const own = this.#options.backend.strikes?.[fault]
    if (own) {
      await own()
      return true
    }
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
    const worker = this.#random.of(this.#workers)
    return processState(worker.pid) === 'running' && this.#strikeWorker(worker, fault as Fault)
  }

  /** Starts are withheld after it: between two there is time for some. */
  async #lose(loss: () => Promise<void>): Promise<boolean> {
    if (performance.now() < this.#lostAt + BETWEEN_LOSSES_MS) return false
    this.#lostAt = performance.now()
    await loss()
    this.#fleet.lostData()
    return true
  }

  async #strikeWorker(worker: WorkerMember, fault: Fault): Promise<boolean> {
    switch (fault) {
      case 'kill parent':
      case 'stop worker':
        this.#workers.splice(this.#workers.indexOf(worker), 1)
        if (fault === 'kill parent') this.#fleet.kill(worker.pid)
        await Promise.all([worker.stop(), this.#hire()])
        return true
      case 'cut worker off':
        return this.#fail(worker, (proxy) => proxy.cut())
      case 'mute replies':
        return this.#fail(worker, (proxy) => proxy.swallow())
      case 'slow network':
        return this.#fail(worker, (proxy) => proxy.delay(SLOW_MS))
      case 'lose a reply':
        this.#proxies.get(worker)?.loseNextReply()
        return true
      default:
        return this.#strikeProcess(fault, fault === 'pause parent' ? worker.pid : this.#random.of(worker.children()))
    }
  }

  #strikeProcess(fault: Fault, pid: number | undefined): boolean {
    if (pid === undefined) return false
    if (fault === 'kill child') this.#fleet.kill(pid)
    else this.#pause(pid)
    return true
  }

  /** Its network fails for a while. */
  #fail(worker: WorkerMember, start: (proxy: TcpProxy) => void): boolean {
    const proxy = this.#proxies.get(worker)
    if (!proxy) return false
    const cut = this.#fleet.cutOff(worker.pid)
    start(proxy)
    const healed = sleep(this.#random.below(LONGEST_CUT_MS)).then(() => {
      proxy.heal()
      cut.heal()
    })
    this.#waking.push(healed)
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
    const { url, port, env = {} } = this.#options.backend
    const name = `w${this.#started}`
    const proxy = await startTcpProxy(port)
    const worker = await this.#fleet.worker(name, { concurrency: 2, broker: through(proxy, url), env })
    this.#proxies.set(worker, proxy)
    this.#workers.push(worker)
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
