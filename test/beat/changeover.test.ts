import assert from 'node:assert/strict'
import { disableEntry, putOver, type RuleOf } from '../../src/beat/changeover.js'
import { crontab } from '../../src/beat/crontab.js'
import { every } from '../../src/beat/every.js'
import { mergeConfig } from '../../src/beat/merge.js'
import type { BeatlockError } from '../../src/lock/error.js'
import { BeatBench, entryOf, putOf, START } from './beat-bench.js'

const HOUR = 3_600_000
const HOURLY = entryOf('report', every('1h'))
/** Its next slot is in 2090. */
const LATER = entryOf('report', { next: (after) => (after < Date.UTC(2090) ? Date.UTC(2090) : undefined) })

describe('a change of an entry while slots are due', () => {
  const ruleOf: RuleOf = () => HOURLY
  const change = (bench: BeatBench, maxRuns: number | null = null, rule = ruleOf) =>
    putOver(bench.store, 'report', { how: 'change', make: () => putOf('report', { maxRuns }), ruleOf: rule })

  /** Added at START; no beat runs for five and a half hours. */
  async function downtime(): Promise<BeatBench> {
    const bench = new BeatBench()
    await bench.store.put([putOf('report')], 'add')
    bench.now = START + 5.5 * HOUR
    return bench
  }

  async function runs(bench: BeatBench, entry = LATER): Promise<number[]> {
    const beat = await bench.beat([entry])
    for (let pass = 0; pass < 3; pass += 1) await beat.tick()
    return bench.slots.map((slot) => slot / HOUR)
  }

  const countsOf = async (bench: BeatBench) => (await bench.store.show('report'))?.counts

  it('[P14] lets the newest run once, records the others as missed, and asks nothing of the new rule for that time', async () => {
    const bench = await downtime()
    await change(bench)
    assert.deepEqual(await runs(bench), [5])
    assert.deepEqual(await countsOf(bench), { missed: 4, published: 1 })
    const minutely = await downtime()
    await change(minutely)
    assert.deepEqual(await runs(minutely, entryOf('report', every('1m'))), [5])
    assert.deepEqual(await countsOf(minutely), { missed: 4, published: 1 })
  })

  it('[P14] at a start of a new version too, and two that start at once make no slot twice', async () => {
    const bench = await downtime()
    const config = [putOf('report', { config: 'new' })]
    await Promise.all([mergeConfig(bench.store, config, { ruleOf }), mergeConfig(bench.store, config, { ruleOf })])
    assert.deepEqual(await runs(bench), [5])
    assert.deepEqual(await countsOf(bench), { missed: 4, published: 1 })
  })

  it('[P14] drops all by the old window, after the last run, and behind a claim that is open', async () => {
    const late = await downtime()
    const onTime: RuleOf = () => ({ ...HOURLY, catchUp: { windowMs: 30_000, limit: 1 } })
    await change(late, null, onTime)
    assert.deepEqual([await runs(late), await countsOf(late)], [[], { missed: 5 }])
    const ended = await downtime()
    await change(ended, 0)
    assert.deepEqual([await runs(ended), await countsOf(ended)], [[], { missed: 5 }])
    const claimed = await downtime()
    const row = await claimed.store.show('report')
    assert.ok(row)
    const { revision, nominal: from } = row
    const slot = { entry: 'report', revision, from, nominal: START + HOUR, kind: 'slot' } as const
    await claimed.store.reserve({ ...slot, by: 'dead', claimMs: 1_000, dropped: [] })
    await change(claimed)
    claimed.now += 2_000
    assert.deepEqual([await runs(claimed), await countsOf(claimed)], [[1], { missed: 4, published: 1 }])
  })

  it('[P14] records as paused what came due in a pause, also before a resume that no beat has seen', async () => {
    const paused = await downtime()
    await paused.store.alter('report', { to: 'paused', why: null })
    paused.now += HOUR
    await change(paused)
    assert.deepEqual(await countsOf(paused), { paused: 6 })
    const resumed = await downtime()
    await resumed.store.alter('report', { to: 'paused', why: null })
    await resumed.store.alter('report', { to: 'resumed', from: 'now' })
    resumed.now += 2 * HOUR
    await change(resumed)
    assert.deepEqual(await runs(resumed), [7])
    assert.deepEqual(await countsOf(resumed), { paused: 5, missed: 1, published: 1 })
  })

  it('[P14] records as missed what is due when it is disabled, and nothing after that', async () => {
    const bench = await downtime()
    const row = await disableEntry(bench.store, 'report', ruleOf)
    assert.equal(row?.state, 'disabled')
    bench.now += 3 * HOUR
    await change(bench)
    await bench.store.alter('report', { to: 'enabled' })
    bench.now += HOUR
    assert.deepEqual(await runs(bench, HOURLY), [9])
    assert.deepEqual(await countsOf(bench), { missed: 5, published: 1 })
  })

  it('[P14] moves an entry to another zone between two slots: none is lost, none comes twice', async () => {
    const bench = new BeatBench(START)
    const daily = (zone: string) => entryOf('report', crontab({ minute: 0, hour: 3 }), zone)
    const beat = await bench.beat([daily('UTC')])
    bench.now = START + 2.5 * HOUR
    await putOver(bench.store, 'report', { how: 'change', make: () => putOf('report'), ruleOf: () => daily('UTC') })
    const west = await bench.beat([daily('America/New_York')], { by: 'b2' })
    for (let hour = 2.5; hour < 34; hour += 0.5) {
      bench.now = START + hour * HOUR
      await Promise.all([west.tick(), hour < 3 ? beat.tick() : 0])
    }
    assert.deepEqual(
      bench.slots.map((slot) => slot / HOUR),
      [8, 32],
    )
    assert.deepEqual(await countsOf(bench), { published: 2 })
  })

  it('is given up with an error when others are faster each time, and changes nothing', async () => {
    const bench = await downtime()
    const { store } = bench
    const put: typeof store.put = async (entries, how) => {
      await store.alter('report', { to: 'asked' })
      return store.put(entries, how)
    }
    const racing = putOver({ ...store, put }, 'report', {
      how: 'change',
      make: () => putOf('report', { spec: '1' }),
      ruleOf,
    })
    await assert.rejects(racing, (error: BeatlockError) => error.code === 'CONTENDED')
    assert.equal((await store.show('report'))?.spec, '{}')
  })
})
