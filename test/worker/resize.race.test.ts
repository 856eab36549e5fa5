import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BodyEnd } from '../../src/task-base/body.js'
import type { PreforkOptions, PreforkPool } from '../../src/worker/prefork-pool.js'
import { until } from '../support/until.js'
import { bodyOf } from './fixture/body.js'
import { Pools } from './fixture/pools.js'

describe('PreforkPool.resize', () => {
  let pools: Pools
  before(async () => {
    pools = await Pools.open()
  })
  after(() => pools.close())
  afterEach(() => pools.clear())

  const started = (size: number, more: Partial<PreforkOptions> = {}) => pools.started({ size, ...more })
  const pids = (pool: PreforkPool): number[] => pool.children().map(({ pid }) => pid)
  const runsIn = (ends: readonly BodyEnd[]): string[] =>
    ends.map((end) => (end.end === 'returned' && end.result) || end.end)
  /** A body that lasts until `end`. */
  const lasting = (pool: PreforkPool, name: string) => {
    const file = join(pools.folder, name)
    const end = `${file}.end`
    return {
      run: pool.run(bodyOf('told', [file, end])),
      begun: () => existsSync(file),
      end: () => writeFileSync(end, ''),
    }
  }

  it('bodies go to the child that has waited longest', async () => {
    const pool = await started(3)
    const seen: string[] = []
    for (let n = 0; n < 9; n += 1) seen.push(...runsIn([await pool.run(bodyOf('pid'))]))
    assert.deepEqual(seen.slice(3), [...seen.slice(0, 3), ...seen.slice(0, 3)])
    assert.equal(new Set(seen).size, 3)
  })

  it('grows: the new children are ready when it resolves, and the old go on', async () => {
    const pool = await started(1)
    const [old] = pids(pool)
    await pool.resize(3)
    assert.equal(pool.size, 3)
    const seen = runsIn(await Promise.all([1, 2, 3].map(() => pool.run(bodyOf('pid')))))
    assert.deepEqual(seen.sort(), pids(pool).map(String).sort())
    assert.ok(seen.includes(String(old)))
  })

  it('shrinks by idle children first; one that runs ends its body, and no body begins beyond the size', async () => {
    const pool = await started(3)
    const [one, two] = [lasting(pool, 'one'), lasting(pool, 'two')]
    await until(() => one.begun() && two.begun())
    await pool.resize(1)
    assert.equal(pool.children().filter(({ runId }) => runId !== null).length, 2)
    const third = pool.run(bodyOf('pid'))
    const order: string[] = []
    for (const { end } of [one, two]) end()
    const told = (name: string) => () => void order.push(name)
    const ends = await Promise.all([
      one.run.finally(told('one')),
      two.run.finally(told('two')),
      third.finally(told('third')),
    ])
    assert.deepEqual(runsIn(ends.slice(0, 2)), ['"slept"', '"slept"'])
    assert.equal(order.at(-1), 'third')
    await until(() => pool.children().length === 1)
    assert.deepEqual(runsIn([ends[2]]), pids(pool).map(String))
  })

  it('shrinks while it grows: the last word counts, and nothing is left over', async () => {
    const pool = await started(1)
    const [old] = pids(pool)
    await Promise.all([pool.resize(4), pool.resize(1)])
    await until(() => pool.children().length === 1)
    assert.deepEqual([pool.size, pids(pool), pools.troubles], [1, [old], []])
  })

  it('does not grow when no further child starts: it says why and goes on as before', async () => {
    const spec: { fail?: string } = {}
    const pool = await started(1, { spec })
    spec.fail = 'the app has a typo'
    await assert.rejects(pool.resize(3), { code: 'CHILD_START', message: /the app has a typo/ })
    await until(() => pool.children().length === 1)
    assert.deepEqual([pool.size, pools.troubles], [1, []])
    assert.deepEqual(await pool.run(bodyOf('echo', [1])), { end: 'returned', result: '1' })
  })

  it('[P22] close(finish) waits for a body in a place that is given up', async () => {
    const pool = await started(2)
    const [one, two] = [lasting(pool, 'last'), lasting(pool, 'very last')]
    await until(() => one.begun() && two.begun())
    await pool.resize(1)
    const closed = pool.close('finish')
    for (const { end } of [one, two]) end()
    await closed
    assert.deepEqual(runsIn(await Promise.all([one.run, two.run])), ['"slept"', '"slept"'])
    assert.deepEqual(pool.children(), [])
  })
})
