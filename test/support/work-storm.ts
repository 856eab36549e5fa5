import { setTimeout as sleep } from 'node:timers/promises'
import type { Backend } from './backends.js'
import type { BodyLine } from './body-log.js'
import { type Fleet, type PublisherMember, startFleet, type WorkerMember } from './fleet.js'
import { type Random, randomFrom } from './random.js'
import { until } from './until.js'

export interface WorkStormOptions {
  readonly backend: Pick<Backend, 'url' | 'crash' | 'restart'>
  /** Chooses who is killed, when, and how long each task takes. */
  readonly seed: number
  /** How many short tasks, each with a key of its own. */
  readonly tasks: number
  /** Ends the kills early: what was called is run and checked all the same. */
  readonly signal?: AbortSignal
}

export interface WorkStormReport {
  readonly seed: number
  /** Children, parents and servers. */
  readonly kills: { readonly child: number; readonly parent: number; readonly server: number }
  readonly calls: number
  readonly starts: number
  /** Messages by how they ended. */
  readonly endings: Readonly<Record<string, number>>
  readonly violations: readonly string[]
}

const WORKERS = 2
const CHILDREN = 2
const CALLERS = 4
const LONGEST_TASK_MS = 30
const LONGEST_PAUSE_MS = 300
/** Kills go on until so much of the work is done; the rest shows that everyone is back. */
const STRUCK_SHARE = 0.9
const LONGEST_MS = 120_000

/**
 * A backlog of short tasks on two workers whose children are killed at random; after a third of the work the server is
 * restarted, after two thirds a worker is killed and another one started. Then all comes to rest and is checked.
 */
export async function runWorkStorm(options: WorkStormOptions): Promise<WorkStormReport> {
  const fleet = startFleet({ url: options.backend.url })
  try {
    const publisher = await fleet.publisher()
    const storm = new Storm(fleet, options)
    const called = callAll(publisher, options)
    const kills = await storm.strike()
    await called
    const back = await storm.everyoneIsBack()
    const violations = [...back, ...(await fleet.check({ withinMs: 60_000 })), ...(await wrongEnds(fleet))]
    const endings = tally([...(await fleet.endings()).values()].map((ending) => ending?.outcome ?? 'none'))
    const { seed } = options
    return { seed, kills, calls: fleet.acks().length, starts: startsOf(fleet).length, endings, violations }
  } finally {
    await fleet.end()
  }
}

/** A few at a time. A call that fails while the server is away was acknowledged to nobody. */
async function callAll(publisher: PublisherMember, { seed, tasks }: WorkStormOptions): Promise<void> {
  const random = randomFrom(seed + 1)
  let next = 0
  const caller = async (): Promise<void> => {
    while (next < tasks) {
      next += 1
      await publisher.call({ work: { n: next, ms: random.below(LONGEST_TASK_MS) } }).catch(() => undefined)
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
}

/** A class: who is there changes with every kill of a worker. */
class Storm {
  readonly #fleet: Fleet
  readonly #options: WorkStormOptions
  readonly #random: Random
  readonly #workers: WorkerMember[] = []
  #hired = 0
  /** Children. */
  readonly #killed = new Set<number>()

  constructor(fleet: Fleet, options: WorkStormOptions) {
    this.#fleet = fleet
    this.#options = options
    this.#random = randomFrom(options.seed)
  }

  async strike(): Promise<WorkStormReport['kills']> {
    const { tasks, signal, backend } = this.#options
    const kills = { child: 0, parent: 0, server: 0 }
    const untilMs = performance.now() + LONGEST_MS
    await Promise.all(Array.from({ length: WORKERS }, () => this.#hire()))
    for (let share = 0; share < STRUCK_SHARE && performance.now() < untilMs && !signal?.aborted; ) {
      await sleep(this.#random.below(LONGEST_PAUSE_MS), undefined, { signal }).catch(() => undefined)
      share = endedIds(this.#fleet).size / tasks
      kills.child += this.#killChild()
      if (share > 1 / 3 && kills.server === 0) {
        kills.server += 1
        await backend.crash()
        await backend.restart()
      }
      if (share > 2 / 3 && kills.parent === 0) {
        kills.parent += 1
        await this.#replaceParent()
      }
    }
    return kills
  }

  /** The same workers serve on, with all their children: nobody has to look after them. */
  async everyoneIsBack(): Promise<string[]> {
    let missing: string[] = []
    const there = (): boolean => {
      missing = this.#workers.flatMap((worker) => {
        // One that was just killed may still be seen, and is not what is waited for.
        const count = worker.exited() ? 0 : worker.children().filter((pid) => !this.#killed.has(pid)).length
        return count === CHILDREN ? [] : [`worker ${worker.name} has ${count} of its ${CHILDREN} children`]
      })
      return missing.length === 0
    }
    await until(there, { what: 'all children to be back' }).catch(() => undefined)
    return missing
  }

  /**
   * One that has begun a body, while another one has too. New ones are left alone: a worker whose children die one after
   * another before they did anything waits longer and longer before it starts the next.
   */
  #killChild(): number {
    const began = new Set(startsOf(this.#fleet).map(({ pid }) => pid))
    const pids = this.#workers.flatMap((worker) => worker.children()).filter((pid) => began.has(pid))
    if (pids.length < 2) return 0
    const pid = this.#random.of(pids)
    this.#killed.add(pid)
    this.#fleet.kill(pid)
    return 1
  }

  async #replaceParent(): Promise<void> {
    const [worker] = this.#workers.splice(this.#random.below(this.#workers.length), 1)
    if (worker) this.#fleet.kill(worker.pid)
    await this.#hire()
  }

  async #hire(): Promise<void> {
    this.#hired += 1
    this.#workers.push(await this.#fleet.worker(`w${this.#hired}`, { concurrency: CHILDREN }))
  }
}

/** Each start is one that the record has counted, and what did not run was given up: it was started too often. */
async function wrongEnds(fleet: Fleet): Promise<string[]> {
  const attempts = new Map<string, number[]>()
  for (const { id, attempt } of startsOf(fleet)) attempts.set(id, [...(attempts.get(id) ?? []), attempt])
  const uncounted = [...attempts].flatMap(([id, own]) =>
    new Set(own).size === own.length ? [] : [`call ${id} was started as its attempts ${own}`],
  )
  const wrong = [...(await fleet.endings())].filter(
    ([, ending]) => ending?.outcome !== 'ran' && ending?.code !== 'MAX_DELIVERIES',
  )
  return [...uncounted, ...wrong.map(([id, ending]) => `call ${id} ended as ${ending?.outcome}, ${ending?.code}`)]
}

function startsOf(fleet: Fleet): BodyLine[] {
  return fleet.lines().filter(({ event }) => event === 'start')
}

function endedIds(fleet: Fleet): Set<string> {
  return new Set(
    fleet
      .lines()
      .filter(({ event }) => event === 'end')
      .map(({ id }) => id),
  )
}

function tally(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of [...names].sort()) counts[name] = (counts[name] ?? 0) + 1
  return counts
}
