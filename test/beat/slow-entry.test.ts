import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import type { BeatEntry, Fire } from '../../src/beat/entry.js'
import { every } from '../../src/beat/every.js'
import type { Scheduler } from '../../src/beat/scheduler.js'
import { until } from '../support/until.js'
import { BeatBench, entryOf, START } from './beat-bench.js'

const QUICK = entryOf('quick', every('1s'))
const SLOW = { ...entryOf('slow', every('1h')), asksCode: true }
const POLL_MS = 100
/** How many steps of a kind a pass has under way. */
const AT_ONCE = 200

describe('a step that takes long', () => {
  it('[P15] delays no other entry and costs its beat no lead, however long it takes', async () => {
    const bench = new BeatBench(START - 500)
    const { fire, release } = held(bench, ({ name }) => name === 'slow')
    const leading = { store: bench.store, pollMs: POLL_MS }
    const beats = [
      await bench.beat([QUICK, SLOW], { ...leading, fire }),
      await bench.beat([QUICK, SLOW], { ...leading, by: 'b2' }),
    ]
    const stop = keepTicking(beats)
    for (let at = 0; at <= 8_000; at += 500) {
      bench.now = START + at
      await until(() => bench.slots.includes(Math.floor(at / 1_000) * 1_000), { what: `the slot at ${at}` })
    }
    release()
    const row = await until(async () => (await bench.store.history('slow', 1))[0], { what: 'its decision' })
    await stop()
    assert.deepEqual([row.decision, row.nominal], ['published', START])
    assert.deepEqual(bench.events['beat:lead'], [{ leads: true }])
    assert.ok(bench.published.every(({ by }) => by === 'b1'))
  })

  it('of entries that ask code holds up none that asks for nothing, however many they are', async () => {
    const bench = new BeatBench(START - 500)
    const { fire, release, asked } = held(bench, ({ asksCode }) => asksCode === true)
    const slow = Array.from({ length: 2 * AT_ONCE }, (_, index) => ({ ...SLOW, name: `slow ${index}` }))
    const stop = keepTicking([await bench.beat([...slow, QUICK], { fire, pollMs: POLL_MS })])
    bench.now = START
    await until(() => asked.length === AT_ONCE + 1, { what: 'as many as go at once' })
    bench.now = START + 1_000
    await until(() => bench.slots.includes(1_000), { what: 'the quick one' })
    assert.ok(bench.published.every(({ entry }) => entry === 'quick'))
    release()
    await until(() => bench.slots.length === 2 * AT_ONCE + 2, { what: 'all' })
    await stop()
  })

  it('goes by the rule it began with, and the change that came meanwhile is in force after it', async () => {
    const bench = new BeatBench(START - 500)
    const { fire, release, asked } = held(bench, () => true)
    let seen = 0
    const changes: typeof bench.store.changes = async (...of) => {
      const answer = await bench.store.changes(...of)
      seen = answer.revision
      return answer
    }
    const beat = await bench.beat([QUICK], { fire, pollMs: POLL_MS, store: { ...bench.leaderless, changes } })
    const stop = keepTicking([beat])
    bench.now = START
    await until(() => asked.length === 1)
    const { revision = 0 } = (await bench.store.alter('quick', { to: 'disabled' })) ?? {}
    bench.now = START + POLL_MS
    await until(() => seen === revision, { what: 'the change to be seen' })
    for (let turns = 0; turns < 50; turns += 1) await turn()
    release()
    await until(async () => (await bench.store.show('quick'))?.claim === null, { what: 'its decision' })
    bench.now = START + 5_000
    for (let turns = 0; turns < 50; turns += 1) await turn()
    await stop()
    assert.deepEqual([asked.length, bench.slots], [1, [0]])
  })

  it('is finished by a beat that stops, which begins no other', async () => {
    const bench = new BeatBench(START - 500)
    const { fire, release, asked } = held(bench, () => true)
    const entries = Array.from({ length: AT_ONCE + 20 }, (_, index) => ({ ...SLOW, name: `slow ${index}` }))
    const beat = await bench.beat(entries, { fire, pollMs: POLL_MS })
    bench.now = START
    const pass = beat.tick()
    await until(() => asked.length === AT_ONCE, { what: 'as many as go at once' })
    bench.now = START + POLL_MS
    await pass
    const stopped = beat.stop()
    release()
    await stopped
    const open = await Promise.all(entries.map(async ({ name }) => (await bench.store.show(name))?.claim))
    assert.deepEqual([asked.length, bench.slots.length, open.filter((claim) => claim).length], [AT_ONCE, AT_ONCE, 0])
  })
})

/** A `fire` that waits, for some entries, until it is released. */
function held(bench: BeatBench, holds: (entry: BeatEntry<null>) => boolean) {
  const asked: string[] = []
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const fire: Fire<null> = async (entry, slot) => {
    asked.push(entry.name)
    if (holds(entry)) await released
    bench.published.push({ by: 'b1', entry: entry.name, ...slot })
    return { decision: 'published', holder: null }
  }
  return { fire, release, asked }
}

/** Passes one after the other, as the service does them; the clock is the bench's. */
function keepTicking(beats: readonly Scheduler<null>[]): () => Promise<void> {
  let stopped = false
  const loops = beats.map(async (beat) => {
    while (!stopped) {
      await beat.tick()
      await turn()
    }
  })
  return async () => {
    stopped = true
    await Promise.all(loops)
  }
}
