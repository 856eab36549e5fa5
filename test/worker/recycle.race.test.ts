import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BodyEnd } from '../../src/task-base/body.js'
import type { PreforkPool } from '../../src/worker/prefork-pool.js'
import { until } from '../support/until.js'
import { bodyOf } from './fixture/body.js'
import { Pools } from './fixture/pools.js'

const MB = 1024 ** 2

describe('PreforkPool replaces children that are well', () => {
  let pools: Pools
  before(async () => {
    pools = await Pools.open()
  })
  after(() => pools.close())
  afterEach(() => pools.clear())

  const resultOf = (end: BodyEnd): string => (end.end === 'returned' && end.result) || end.end
  const pidOf = async (pool: PreforkPool): Promise<string> => resultOf(await pool.run(bodyOf('pid')))
  const sleeping = (pool: PreforkPool, { name, ms }: { name: string; ms: number }) => {
    const file = join(pools.folder, name)
    const pid = () => (existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined)
    return { end: pool.run(bodyOf('sleep', [ms, file])), pid }
  }

  it('gives a child no more bodies than it may have, and loses none', async () => {
    const pool = await pools.started({ size: 2, recycling: { maxTasks: 3, maxMemoryBytes: null } })
    const pids = await Promise.all(Array.from({ length: 20 }, () => pidOf(pool)))
    const counts = new Map<string, number>()
    for (const pid of pids) counts.set(pid, (counts.get(pid) ?? 0) + 1)
    assert.ok(counts.size >= 7 && Math.max(...counts.values()) <= 3, JSON.stringify([...counts]))
    assert.deepEqual(pools.troubles, [])
    // A next one may be ready beside each.
    await until(() => pool.children().length <= 4, { what: 'the replaced children to go' })
  })

  it('has the next child ready when the last body of a child ends: no gap, and two bodies never at once', async () => {
    const pool = await pools.started({ recycling: { maxTasks: 1, maxMemoryBytes: null } })
    const first = sleeping(pool, { name: 'first', ms: 1500 })
    const old = await until(() => first.pid())
    await until(() => pool.children().length === 2, { what: 'the next child to be started' })
    const second = sleeping(pool, { name: 'second', ms: 0 })
    let ended = false
    void first.end.then(() => (ended = true))
    assert.notEqual(await until(() => second.pid()), old)
    assert.ok(ended, 'the second began before the first had ended')
    assert.deepEqual([await first.end, await second.end].map(resultOf), ['"slept"', '"slept"'])
  })

  it('replaces a child that has grown beyond its memory after a body, which goes on until the next is ready', async () => {
    const pool = await pools.started({ recycling: { maxTasks: null, maxMemoryBytes: 300 * MB } })
    const first = await pidOf(pool)
    assert.equal(resultOf(await pool.run(bodyOf('grow', [400 * MB]))), String(400 * MB))
    const pids = new Set<string>()
    await until(async () => pids.add(await pidOf(pool)).size === 2, { what: 'the child to be replaced' })
    assert.deepEqual([...pids][0], first, 'it served until the next was ready')
    await until(() => pool.children().length === 1)
    assert.deepEqual([String(pool.children()[0]?.pid), pools.troubles], [[...pids][1], []])
  })

  it('keeps a child beyond its last body when the next one cannot start, says why once, and goes on when it can', async () => {
    const spec: { fail?: string } = {}
    const pool = await pools.started({ spec, recycling: { maxTasks: 2, maxMemoryBytes: null } })
    spec.fail = 'the app has a typo'
    const first = await pidOf(pool)
    for (let n = 0; n < 5; n += 1) assert.equal(await pidOf(pool), first)
    assert.deepEqual(pools.troubles, ['the app has a typo'])
    delete spec.fail
    await until(async () => (await pidOf(pool)) !== first, { what: 'the next child' })
  })

  it('reloads: all children are new, what ran is finished in the old ones, and there is always one that serves', async () => {
    const pool = await pools.started({ size: 3 })
    const before = new Set(pool.children().map(({ pid }) => String(pid)))
    const long = sleeping(pool, { name: 'long', ms: 1500 })
    await until(() => long.pid())
    let reloaded = false
    const reloading = pool.reload().then(() => (reloaded = true))
    while (!reloaded) assert.match(await pidOf(pool), /^\d+$/)
    await reloading
    for (let n = 0; n < 6; n += 1) assert.ok(!before.has(await pidOf(pool)))
    assert.equal(resultOf(await long.end), '"slept"')
    assert.ok(before.has(long.pid() ?? ''))
    await until(() => pool.children().length === 3)
    assert.ok(pool.children().every(({ pid }) => !before.has(String(pid))))
  })

  it('does not reload what does not start: it says why, every child stays, and the next reload can do it', async () => {
    const spec: { fail?: string } = {}
    const pool = await pools.started({ size: 2, spec })
    const pids = () => pool.children().map(({ pid }) => pid)
    const before = pids()
    spec.fail = 'the new version has a typo'
    await assert.rejects(pool.reload(), { code: 'CHILD_START', message: /the new version has a typo/ })
    await until(() => pool.children().length === 2)
    assert.deepEqual([pids(), pools.troubles], [before, []])
    assert.ok(before.includes(Number(await pidOf(pool))))
    delete spec.fail
    await pool.reload()
    await until(() => pool.children().length === 2)
    assert.ok(pids().every((pid) => !before.includes(pid)))
  })

  it('reloads again for code that came during a reload, once for all who asked meanwhile', async () => {
    const file = join(pools.folder, 'starts')
    const pool = await pools.started({ size: 2, spec: { startsFile: file } })
    const starts = () => readFileSync(file, 'utf8').trim().split('\n').length
    const first = pool.reload()
    await until(() => starts() > 2, { what: 'the first reload to begin' })
    await Promise.all([first, ...Array.from({ length: 5 }, () => pool.reload())])
    assert.equal(starts(), 6)
    await until(() => pool.children().length === 2)
  })

  it('says that a reload was not finished where the pool is closed meanwhile', async () => {
    const file = join(pools.folder, 'closed')
    const pool = await pools.started({ size: 2, spec: { startsFile: file } })
    const reloading = pool.reload()
    await until(() => readFileSync(file, 'utf8').trim().split('\n').length > 2, { what: 'the reload to begin' })
    await pool.close('finish')
    assert.equal(await reloading, 'closed')
    const other = await pools.started({ size: 2 })
    assert.equal(await other.reload(), 'reloaded')
  })
})
