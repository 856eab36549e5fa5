import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Decision, DecisionName, ScheduleStore } from '../../src/beat/schedule-store.js'
import type { App } from '../../src/index.js'
import type { Backend } from './backends.js'
import { beatApp, PERIOD_MS, RULES } from './beat-app.js'
import { DecisionWitness } from './decision-witness.js'
import { type Random, randomFrom } from './random.js'
import { type EntryEvidence, judgeSlots, type SlotVerdict } from './slot-checker.js'
import { readSlotLines } from './slot-log.js'
import { until } from './until.js'

export interface StormOptions {
  readonly backend: Pick<Backend, 'name' | 'url'>
  /** Chooses how many beats there are, who is struck, when and how. */
  readonly seed: number
  /** How long it goes on. */
  readonly ms: number
  /** On a busy machine it goes on until so much was shown, for at most five times `ms`; default: nothing. */
  readonly shows?: { readonly blows: number; readonly slots: number; readonly decisions: readonly DecisionName[] }
  /** Ends the round early: it comes to rest and is checked all the same. */
  readonly signal?: AbortSignal
}

export interface StormReport extends SlotVerdict {
  readonly beats: number
  readonly kills: number
  readonly pauses: number
}

const LONGEST_TIMES = 5
/** Neighbouring seeds would begin with the same number. */
const SPREAD = 0x9e3779b1
const FEWEST_BEATS = 2
const MORE_BEATS = 4
/** Longer than a claim (2 s) and than the lead (3 s): others go on meanwhile. */
const LONGEST_PAUSE_MS = 5_000
const PATIENCE_MS = 60_000
let storms = 0

/** Two to five beats and a worker, real processes; beats are killed and paused at random. Then all is joined and judged. */
export async function runStorm(options: StormOptions): Promise<StormReport> {
  storms += 1
  const { backend } = options
  const folder = mkdtempSync(join(tmpdir(), 'beatlock-storm-'))
  const log = join(folder, 'slots')
  const app = beatApp(`storm-${backend.name}-${process.pid}-${storms}`, backend.url)
  const crew = new Crew(
    { app: app.name, broker: backend.url, log, folder },
    randomFrom(Math.imul(options.seed, SPREAD)),
  )
  try {
    await crew.start()
    const store = (await app.connection()).servers.scheduleStore
    const witness = new DecisionWitness(store, Object.keys(RULES))
    const watching = witness.watch()
    const seen = () => Object.keys(RULES).flatMap((entry) => witness.rows(entry))
    await crew.suffer(options, (blows) => hasShown(options.shows, blows, seen()))
    await witness.settled(PATIENCE_MS)
    for (const entry of Object.keys(RULES)) await store.alter(entry, { to: 'disabled' })
    await witness.stop(watching, PATIENCE_MS)
    const judge = async () => judgeSlots({ entries: await evidenceOf(store, witness), lines: readSlotLines(log) })
    // What was accepted comes to run; what never does is the verdict.
    await until(async () => (await judge()).unmatched === 0, { timeoutMs: PATIENCE_MS, everyMs: 200 }).catch(() => {})
    return { ...(await judge()), ...crew.figures }
  } finally {
    await crew.end()
    await destroy(app)
    rmSync(folder, { recursive: true, force: true })
  }
}

function hasShown(shows: StormOptions['shows'], blows: number, seen: readonly Decision[]): boolean {
  if (!shows) return true
  const decided = new Set(seen.map(({ decision }) => decision))
  return blows >= shows.blows && seen.length >= shows.slots && shows.decisions.every((each) => decided.has(each))
}

async function evidenceOf(store: ScheduleStore, witness: DecisionWitness): Promise<EntryEvidence[]> {
  return Promise.all(
    Object.keys(RULES).map(async (entry) => {
      const row = await store.show(entry)
      assert.ok(row)
      const due = slotsOf(entry, { after: row.createdAt, end: row.nominal })
      return { entry, due, decisions: witness.rows(entry), counts: row.counts }
    }),
  )
}

/** Tries every instant at which a slot can lie. */
function slotsOf(entry: string, { after, end }: { readonly after: number; readonly end: number }): number[] {
  const found: number[] = []
  for (let at = after - (after % PERIOD_MS) + PERIOD_MS; at <= end; at += PERIOD_MS) {
    if (RULES[entry]?.(new Date(at))) found.push(at)
  }
  return found
}

async function destroy(app: App): Promise<void> {
  const { servers, store } = await app.connection()
  await servers.engine.destroy(['default'])
  await servers.scheduleStore.destroy()
  await store.destroy()
  await app.close()
}

interface Place {
  readonly app: string
  readonly broker: string
  readonly log: string
  readonly folder: string
}

/** The processes. A class: who is there changes with every blow. */
class Crew {
  readonly #place: Place
  readonly #random: Random
  readonly #size: number
  /** Those that are awake. */
  readonly #beats = new Set<ChildProcess>()
  readonly #all: ChildProcess[] = []
  readonly #mending: Promise<void>[] = []
  #kills = 0
  #pauses = 0

  constructor(place: Place, random: Random) {
    this.#place = place
    this.#random = random
    this.#size = FEWEST_BEATS + random.below(MORE_BEATS)
  }

  get figures() {
    return { beats: this.#size, kills: this.#kills, pauses: this.#pauses }
  }

  async start(): Promise<void> {
    const beats = Array.from({ length: this.#size }, () => this.#hire())
    await Promise.all([...beats, this.#launch('./beat-worker.js')])
  }

  async suffer({ ms, signal }: StormOptions, shown: (blows: number) => boolean): Promise<void> {
    const start = performance.now()
    const ranMs = () => performance.now() - start
    while (ranMs() < ms || (ranMs() < LONGEST_TIMES * ms && !shown(this.#kills + this.#pauses))) {
      await sleep(200 + this.#random.below(1_500), undefined, { signal }).catch(() => undefined)
      if (signal?.aborted) break
      await this.#strike()
    }
    await Promise.all(this.#mending)
  }

  async end(): Promise<void> {
    await Promise.all(this.#all.map(end))
  }

  async #strike(): Promise<void> {
    const awake = () => (this.#beats.size > 0 ? [...this.#beats] : undefined)
    const beat = this.#random.of(await until(awake, { timeoutMs: PATIENCE_MS, what: 'a beat to strike' }))
    assert.equal(beat.exitCode ?? beat.signalCode, null, 'a beat ended by itself')
    // The next blow must not find it.
    this.#beats.delete(beat)
    if (this.#random.below(5) < 3) {
      this.#kills += 1
      beat.kill('SIGKILL')
      this.#mending.push(this.#hire())
    } else {
      this.#pauses += 1
      beat.kill('SIGSTOP')
      this.#mending.push(this.#wakeLater(beat, this.#random.below(LONGEST_PAUSE_MS)))
    }
  }

  async #wakeLater(beat: ChildProcess, afterMs: number): Promise<void> {
    await sleep(afterMs)
    beat.kill('SIGCONT')
    this.#beats.add(beat)
  }

  async #hire(): Promise<void> {
    this.#beats.add(await this.#launch('./beat-process.js'))
  }

  async #launch(entry: string): Promise<ChildProcess> {
    const { app, broker, log, folder } = this.#place
    const own = { BEAT_APP: app, BEAT_BROKER: broker, BEAT_LOG: log, TMPDIR: folder }
    const stdio: ('ignore' | 'inherit' | 'ipc')[] = ['ignore', 'inherit', 'inherit', 'ipc']
    const child = fork(fileURLToPath(new URL(entry, import.meta.url)), { env: { ...process.env, ...own }, stdio })
    this.#all.push(child)
    const failed = once(child, 'exit').then(() => assert.fail(`${entry} ended at its start`))
    failed.catch(() => undefined)
    await Promise.race([once(child, 'message'), failed])
    return child
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGCONT')
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 20_000)
  await exit
  clearTimeout(late)
}
