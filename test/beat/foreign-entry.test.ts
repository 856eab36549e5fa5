import assert from 'node:assert/strict'
import { putOver } from '../../src/beat/changeover.js'
import { every } from '../../src/beat/every.js'
import type { EntryRow } from '../../src/beat/schedule-store.js'
import type { Scheduler } from '../../src/beat/scheduler.js'
import { UsageError } from '../../src/lock/error.js'
import { BeatBench, entryOf, putOf, START } from './beat-bench.js'

const ROLLUP = entryOf('rollup', every('1s'))
const LUNAR = entryOf('lunar', every('1s'))

describe('an entry that a beat cannot read', () => {
  it('is decided by it in no slot, told of once, and served by the beat that can, which leads', async () => {
    const bench = new BeatBench()
    const old = await unreading(bench, { by: 'old', store: bench.store })
    await old.tick()
    const knowing = await bench.beat([ROLLUP, LUNAR], { pollMs: 250, by: 'new', store: bench.store })
    await run(bench, [old, knowing], 5_000)
    assert.ok(bench.published.every(({ by }) => by === 'new'))
    assert.equal(bench.published.filter(({ entry }) => entry === 'lunar').length, 5)
    assert.deepEqual([knowing.health().leader, old.health().leader], [true, false])
    assert.deepEqual(told(bench), [
      [
        'lunar',
        null,
        'this beat cannot read it (no such schedule.): it is left to beats that can, and tried again when it is changed',
      ],
    ])
  })

  it('holds up none of the others where no beat can read it', async () => {
    const bench = new BeatBench()
    const old = await unreading(bench, { store: bench.store })
    await run(bench, [old], 3_000)
    assert.deepEqual(bench.slots, [1_000, 2_000, 3_000])
    assert.equal((await bench.store.show('lunar'))?.last, null)
  })

  it('is served from the change on that makes it readable, and left from one that makes it not', async () => {
    const bench = new BeatBench()
    const old = await unreading(bench, {})
    await run(bench, [old], 2_000)
    await changeTo(bench, '{"schedule":"1s"}')
    await run(bench, [old], 4_000)
    assert.deepEqual(slotsOf(bench, 'lunar'), [3_000, 4_000])
    await changeTo(bench, 'newer')
    await run(bench, [old], 6_000)
    assert.deepEqual(slotsOf(bench, 'lunar'), [3_000, 4_000])
    assert.equal(slotsOf(bench, 'rollup').length, 6)
    assert.equal(told(bench).length, 2, 'once for each text that it could not read')
  })
})

/** A beat of a version that knows no lunar schedules, over a store that has one. */
async function unreading(
  bench: BeatBench,
  options: NonNullable<Parameters<BeatBench['beat']>[1]>,
): Promise<Scheduler<null>> {
  await bench.store.put([putOf('lunar', { spec: '{"schedule":"lunar full"}' })], 'add')
  const read = (row: EntryRow) => {
    if (row.name === 'rollup') return ROLLUP
    if (row.spec !== '{"schedule":"1s"}') throw new UsageError('no such schedule.')
    return LUNAR
  }
  return bench.beat([ROLLUP], { pollMs: 250, entryOf: read, ...options })
}

async function changeTo(bench: BeatBench, spec: string): Promise<void> {
  const make = () => putOf('lunar', { spec })
  assert.equal(await putOver(bench.store, 'lunar', { how: 'change', make, ruleOf: () => undefined }), 'changed')
}

async function run(bench: BeatBench, beats: readonly Scheduler<null>[], end: number): Promise<void> {
  while (bench.now < START + end) {
    bench.now = Math.min(START + end, Math.floor(bench.now / 250) * 250 + 250)
    for (const beat of beats) await beat.tick()
  }
}

function told(bench: BeatBench): unknown[] {
  return bench.events['beat:trouble'].map(({ entry, retryInMs, error }) => [entry, retryInMs, error.message])
}

function slotsOf(bench: BeatBench, name: string): number[] {
  return bench.published.flatMap(({ entry, nominal }) => (entry === name ? [nominal - START] : []))
}
