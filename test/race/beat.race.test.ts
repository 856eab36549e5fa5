import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Decision, ScheduleStore } from '../../src/beat/schedule-store.js'
import { slotId } from '../../src/beat/slot-id.js'
import { type Backend, startBackend } from '../support/backends.js'
import { beatApp, PERIOD_MS, QUEUE } from '../support/beat-app.js'
import { until } from '../support/until.js'

/** `BEAT_STRIKES=500 npx mocha dist/test/race/beat.race.test.js` for thousands of slots. */
const STRIKES = Number(process.env['BEAT_STRIKES'] ?? 10)
const BEATS = 3
const ENTRY = fileURLToPath(new URL('../support/beat-process.js', import.meta.url))

describe('beats that are killed and paused at random', function () {
  this.timeout(STRIKES * 10_000 + 90_000)
  const backends: Backend[] = []
  before(async () => {
    backends.push(await startBackend('redis'), await startBackend('postgres'))
  })
  after(async () => {
    for (const backend of backends) await backend.remove()
  })

  it('[P14] [P15] make one decision and at most one message a slot: none missing, none doubled, none early', async () => {
    const played = await Promise.allSettled(backends.map(play))
    const wrong = played.flatMap((each, at) =>
      each.status === 'rejected' ? [`on ${backends[at]?.name}: ${each.reason.stack}`] : [],
    )
    assert.deepEqual(wrong, [])
  })
})

async function play({ name, url }: Backend): Promise<void> {
  const app = beatApp(`beats-${name}-${process.pid}`, url)
  const { servers } = await app.connection()
  const store = servers.scheduleStore
  const beats = new Set<ChildProcess>()
  const all: ChildProcess[] = []
  const start = async (): Promise<void> => {
    const env = { ...process.env, BEAT_APP: app.name, BEAT_BROKER: url }
    const beat = fork(ENTRY, [], { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    all.push(beat)
    const exit = once(beat, 'exit').then(() => assert.fail('a beat ended at its start'))
    exit.catch(() => undefined)
    await Promise.race([once(beat, 'message'), exit])
    beats.add(beat)
  }
  try {
    await Promise.all(Array.from({ length: BEATS }, start))
    const began = new Map<string, number>()
    for (const { name: entry, createdAt } of (await store.changes(0, 10)).rows) began.set(entry, createdAt)
    const seen = new Witness(store, [...began.keys()])
    const watching = seen.watch()
    await strike(beats, start)
    await seen.settled()
    for (const entry of began.keys()) await store.alter(entry, { to: 'disabled' })
    await seen.stop(watching)
    for (const [entry, createdAt] of began) await check(store, { entry, createdAt, rows: seen.rows(entry) })
    await checkMessages(servers.engine, seen)
  } finally {
    for (const beat of all) await end(beat)
    await store.destroy()
    await (await app.connection()).store.destroy()
    await app.close()
  }
}

/** Kills and pauses beats, some long enough to be taken over from; dead ones are followed by new ones. */
async function strike(beats: Set<ChildProcess>, start: () => Promise<void>): Promise<void> {
  const after: Promise<void>[] = []
  for (let strikes = 0; strikes < STRIKES; strikes += 1) {
    await sleep(100 + Math.random() * 900)
    const beat = await until(() => oneOf([...beats].filter(lives)), { timeoutMs: 20_000, what: 'a beat to strike' })
    // The next one must not find it: it is dead, or asleep.
    beats.delete(beat)
    if (strikes % 5 < 3) {
      beat.kill('SIGKILL')
      after.push(start())
    } else {
      beat.kill('SIGSTOP')
      after.push(wakeLater(beat, beats))
    }
  }
  await Promise.all(after)
}

async function wakeLater(beat: ChildProcess, beats: Set<ChildProcess>): Promise<void> {
  await sleep(Math.random() * 4_000)
  beat.kill('SIGCONT')
  beats.add(beat)
}

function lives({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null
}

function oneOf<T>(list: readonly T[]): T | undefined {
  return list[Math.floor(Math.random() * list.length)]
}

/** Reads decisions faster than the history forgets them; one that is read never changes. */
class Witness {
  readonly #store: ScheduleStore
  readonly #entries: readonly string[]
  readonly #rows = new Map<string, Decision>()
  #stopped = false

  constructor(store: ScheduleStore, entries: readonly string[]) {
    this.#store = store
    this.#entries = entries
  }

  rows(entry: string): Decision[] {
    return [...this.#rows.values()].filter((row) => row.entry === entry)
  }

  async watch(): Promise<void> {
    while (!this.#stopped) {
      await this.#read()
      await sleep(200)
    }
    await this.#read()
  }

  async stop(watching: Promise<void>): Promise<void> {
    await until(async () => (await this.#claims()) === 0, { timeoutMs: 20_000, what: 'the last claims to be decided' })
    this.#stopped = true
    await watching
  }

  /** All slots up to now have had their decision. */
  async settled(): Promise<void> {
    const now = await this.#store.now()
    const behind = async () => {
      const rows = await Promise.all(this.#entries.map((entry) => this.#store.show(entry)))
      return rows.some((row) => row && row.nominal < now)
    }
    await until(async () => !(await behind()), { timeoutMs: 40_000, what: 'beats to catch up' })
  }

  async #claims(): Promise<number> {
    const rows = await Promise.all(this.#entries.map((entry) => this.#store.show(entry)))
    return rows.filter((row) => row?.claim).length
  }

  async #read(): Promise<void> {
    for (const entry of this.#entries) {
      for (const row of await this.#store.history(entry, 1_000)) {
        const id = `${entry} ${row.nominal}`
        assert.deepEqual(this.#rows.get(id) ?? row, row, 'a decision changed')
        this.#rows.set(id, row)
      }
    }
  }
}

/** Joins the decisions with the grid: each slot since the entry was made is in exactly one of them. */
async function check(store: ScheduleStore, of: { entry: string; createdAt: number; rows: Decision[] }): Promise<void> {
  const { entry, createdAt, rows } = of
  const row = await store.show(entry)
  assert.ok(row)
  const due: number[] = []
  for (let at = (Math.floor(createdAt / PERIOD_MS) + 1) * PERIOD_MS; at <= row.nominal; at += PERIOD_MS) due.push(at)
  const decided = rows.flatMap(({ nominal, slots }) => Array.from({ length: slots }, (_, n) => nominal - n * PERIOD_MS))
  assert.equal(new Set(decided).size, decided.length, `${entry}: doubled`)
  assert.deepEqual(
    decided.sort((a, b) => a - b),
    due,
    `${entry}: missing, or no slot of the grid`,
  )
  assert.deepEqual(
    rows.filter(({ at, nominal }) => at < nominal),
    [],
    `${entry}: early`,
  )
  const sum = Object.values(row.counts).reduce((all, count) => all + count, 0)
  assert.equal(sum, due.length, `${entry}: slots due = ${JSON.stringify(row.counts)}`)
  assert.ok(due.length > 100)
  if (entry === 'all') assert.deepEqual(row.counts, { published: due.length })
  if (entry === 'guarded') assert.equal(row.counts.published, 1)
}

/** What was decided to be published is with the engine, once, and nothing else is. */
async function checkMessages(engine: import('../../src/index.js').Engine, seen: Witness): Promise<void> {
  const ids = ['latest', 'all', 'guarded'].flatMap((entry) =>
    seen.rows(entry).flatMap(({ decision, nominal }) => (decision === 'published' ? [slotId(entry, nominal)] : [])),
  )
  const { waiting, delayed, active } = await engine.counts(QUEUE)
  assert.equal(waiting + delayed + active, ids.length)
  for (const id of ids) assert.equal(await engine.state(QUEUE, id), 'waiting')
}

async function end(beat: ChildProcess): Promise<void> {
  if (beat.exitCode !== null || beat.signalCode !== null) return
  const exit = once(beat, 'exit')
  beat.kill('SIGCONT')
  beat.kill('SIGTERM')
  const late = setTimeout(() => beat.kill('SIGKILL'), 10_000)
  await exit
  clearTimeout(late)
}
