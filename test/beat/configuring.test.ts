import assert from 'node:assert/strict'
import { Configuring } from '../../src/beat/configuring.js'
import { every } from '../../src/beat/every.js'
import type { EntryPut, EntryRow, ScheduleStore } from '../../src/beat/schedule-store.js'
import type { Scheduler } from '../../src/beat/scheduler.js'
import type { Duration } from '../../src/index.js'
import { StoreUnavailable } from '../../src/lock/error.js'
import { BeatBench, entryOf, putOf, START } from './beat-bench.js'

const OLD = [line('report', '1s'), line('dropped', '10s')]
const NEW = [line('report', '2s'), line('added', '10s')]

describe('the configurations of two versions of an app', () => {
  it('[P14] an old beat that starts again after the new one changes nothing, and serves what is stored', async () => {
    const bench = new BeatBench()
    const old = await beatOf(bench, 'old', OLD)
    await pass(bench, [old], 2_100)
    const fresh = await beatOf(bench, 'new', NEW)
    await old.stop()
    const again = await beatOf(bench, 'old again', OLD)
    await pass(bench, [again, fresh], 6_100)
    assert.deepEqual(await stored(bench), { report: '2s', added: '10s' })
    assert.deepEqual(reports(bench), [1_000, 2_000, 4_000, 6_000])
    assert.deepEqual(bench.events['beat:edition'], [{ inForce: false }])
    assert.equal(bench.events['beat:trouble'].length, 0)
  })

  it('[P14] the old one comes back at once when the last beat of the new one has stopped: a roll-back', async () => {
    const bench = new BeatBench()
    const old = await beatOf(bench, 'old', OLD)
    const fresh = [await beatOf(bench, 'n1', NEW), await beatOf(bench, 'n2', NEW)]
    await pass(bench, [old, ...fresh], 4_100)
    await fresh[0]?.stop()
    await pass(bench, [old, ...fresh.slice(1)], 20_100)
    assert.deepEqual(await stored(bench), { report: '2s', added: '10s' })
    await fresh[1]?.stop()
    await pass(bench, [old], 25_100)
    assert.deepEqual(await stored(bench), { report: '1s', dropped: '10s' })
    const { counts, nominal } = (await bench.store.show('report')) as EntryRow
    assert.equal(nominal, START + 25_000)
    assert.equal(counts.published, new Set(reports(bench)).size, 'no slot is decided twice')
    assert.deepEqual(bench.events['beat:edition'], [{ inForce: false }, { inForce: true }])
  })

  it('the old one comes back fifteen seconds after the new one has died, and not before', async () => {
    const bench = new BeatBench()
    const old = await beatOf(bench, 'old', OLD)
    const dying = await beatOf(bench, 'new', NEW)
    await pass(bench, [old, dying], 3_000)
    await pass(bench, [old], 16_000)
    assert.deepEqual(await stored(bench), { report: '2s', added: '10s' })
    await pass(bench, [old], 21_000)
    assert.deepEqual(await stored(bench), { report: '1s', dropped: '10s' })
  })

  it('a new one that dies in the middle of its merge leaves no half of it: the old one is made whole again', async () => {
    const bench = new BeatBench()
    const old = await beatOf(bench, 'old', OLD)
    const alter = () => Promise.reject(new StoreUnavailable('db:5432', 'this beat is dead'))
    await assert.rejects(beatOf(bench, 'new', NEW, { ...bench.store, alter }))
    assert.deepEqual(await stored(bench), { report: '2s', dropped: '10s', added: '10s' })
    await pass(bench, [old], 20_000)
    assert.deepEqual(await stored(bench), { report: '1s', dropped: '10s' })
  })

  it('an old one that is overtaken in the middle of its merge writes nothing more, and reads what the new one wrote', async () => {
    const bench = new BeatBench()
    let fresh: Scheduler<null> | undefined
    const put: ScheduleStore['put'] = async (...request) => {
      fresh ??= await beatOf(bench, 'new', NEW)
      return bench.store.put(...request)
    }
    const old = await beatOf(bench, 'old', OLD, { ...bench.store, put })
    assert.ok(fresh)
    assert.deepEqual(await stored(bench), { report: '2s', added: '10s' })
    await pass(bench, [old, fresh], 4_100)
    assert.deepEqual(reports(bench), [2_000, 4_000])
  })

  for (const order of ['old', 'new'] as const) {
    it(`the new one is in force again after the store has lost its data, if the ${order} one finds out first`, async () => {
      const bench = new BeatBench()
      const old = await beatOf(bench, 'old', OLD)
      const fresh = await beatOf(bench, 'new', NEW)
      const beats = order === 'old' ? [old, fresh] : [fresh, old]
      await pass(bench, beats, 4_100)
      await bench.store.destroy()
      await pass(bench, beats, 8_100)
      assert.deepEqual(await stored(bench), { report: '2s', added: '10s' })
      assert.ok(bench.events['beat:wentBack'].length > 0)
      assert.deepEqual(reports(bench), [2_000, 4_000, 6_000, 8_000])
    })
  }

  it('a store that was emptied and filled again past the revision that a beat remembers is read anew all the same', async () => {
    const bench = new BeatBench()
    const beat = await beatOf(bench, 'old', OLD)
    await pass(bench, [beat], 1_100)
    const { revision } = await bench.store.changes(0, 1)
    await bench.store.destroy()
    await bench.store.put([{ ...line('first', '1s'), config: null }], 'add')
    const other = await beatOf(bench, 'other', OLD)
    await other.stop()
    assert.ok((await bench.store.changes(0, 1)).revision > revision)
    await pass(bench, [beat], 4_100)
    assert.ok(bench.published.some(({ entry }) => entry === 'first'))
    assert.deepEqual(bench.events['beat:wentBack'], [], 'its revision tells nothing')
  })

  it('an entry that the new version dropped and a roll-back brings again begins anew, one that both have keeps its cursor', async () => {
    const bench = new BeatBench()
    const old = await beatOf(bench, 'old', [...OLD, line('kept', '1s')])
    await pass(bench, [old], 12_100)
    const kept = await bench.store.show('kept')
    const fresh = await beatOf(bench, 'new', [...NEW, line('kept', '1s')])
    assert.deepEqual(await bench.store.show('kept'), kept)
    await fresh.stop()
    await pass(bench, [old], 15_500)
    const row = await bench.store.show('dropped')
    assert.deepEqual([row?.counts, row && row.nominal > START + 12_100], [{}, true])
    assert.deepEqual(await bench.store.history('dropped', 9), [])
    assert.equal((await bench.store.show('kept'))?.counts.published, 15)
  })
})

function line(name: string, period: string): EntryPut {
  return putOf(name, { spec: JSON.stringify(period), config: `${name} ${period}` })
}

const read = ({ name, spec }: EntryRow) => entryOf(name, every(JSON.parse(spec) as Duration))

async function beatOf(
  bench: BeatBench,
  by: string,
  config: readonly EntryPut[],
  store: ScheduleStore = bench.store,
): Promise<Scheduler<null>> {
  const host = { name: by, host: 'here', pid: 1, startedAt: bench.now }
  const monotonic = () => bench.now
  const configuring = new Configuring({ store, config, ruleOf: read, by, host, emit: bench.emit, monotonic })
  return bench.beat([], {
    store,
    by,
    pollMs: 500,
    host: { ...host, edition: configuring.edition },
    entryOf: read,
    merge: () => configuring.merging(),
    mergeDue: (inForce) => configuring.isDue(inForce),
  })
}

async function pass(bench: BeatBench, beats: readonly Scheduler<null>[], until: number): Promise<void> {
  while (bench.now < START + until) {
    bench.now = Math.min(START + until, bench.now + 100)
    for (const beat of beats) await beat.tick()
  }
}

async function stored({ store }: BeatBench): Promise<Record<string, string>> {
  const { rows } = await store.changes(0, 100)
  const there = rows.filter(({ state }) => state !== 'removed').map(({ name, spec }) => [name, JSON.parse(spec)])
  return Object.fromEntries(there) as Record<string, string>
}

function reports({ published }: BeatBench): number[] {
  return published.filter(({ entry }) => entry === 'report').map(({ nominal }) => nominal - START)
}
