import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { monotonicNs } from '../../src/lock/trust.js'
import type { BodyEnd } from '../../src/task-base/body.js'
import { ranMs } from '../support/machine-time.js'
import { until } from '../support/until.js'
import { bodyOf } from './fixture/body.js'
import { Pools } from './fixture/pools.js'

describe('PreforkPool', () => {
  let pools: Pools
  before(async () => {
    pools = await Pools.open()
  })
  after(() => pools.close())
  afterEach(async () => assert.deepEqual((await pools.clear()).filter(lives), []))

  function killed(end: BodyEnd): Extract<BodyEnd, { end: 'killed' }> {
    assert.equal(end.end, 'killed')
    return end as Extract<BodyEnd, { end: 'killed' }>
  }

  it('is ready when started, and runs one body at a time in each child', async () => {
    const pool = await pools.started({ size: 2 })
    assert.equal(pool.children().length, 2)
    const ends = [1, 2, 3].map(() => pool.run(bodyOf('pid')))
    const pids = (await Promise.all(ends)).map((end) => end.end === 'returned' && Number(end.result))
    assert.equal(new Set(pids).size, 2)
  })

  it('answers what the body returned or threw', async () => {
    const pool = await pools.started()
    assert.deepEqual(await pool.run(bodyOf('echo', [{ a: 1 }])), { end: 'returned', result: '{"a":1}' })
    assert.deepEqual(await pool.run(bodyOf('echo')), { end: 'returned', result: null })
    const end = await pool.run(bodyOf('throw'))
    const { stack, ...error } = JSON.parse(end.end === 'threw' ? end.error : '{}')
    assert.match(stack, /runner/)
    assert.deepEqual(error, { name: 'TypeError', message: 'no such feed', code: 'NO_FEED' })
  })

  it('[P8] a child killed from outside ends its body within 200 ms and is replaced', async () => {
    const pool = await pools.started()
    const file = join(pools.folder, 'killed')
    const run = pool.run(bodyOf('spin', [file]))
    await until(() => existsSync(file))
    const { pid } = pool.children()[0] ?? assert.fail()
    const killedNs = monotonicNs()
    process.kill(pid, 'SIGKILL')
    const end = killed(await run)
    const ms = ranMs(killedNs)
    assert.ok(ms < 1000, `took ${ms} ms`)
    assert.equal(end.why, 'crashed')
    assert.equal(end.detail, 'SIGKILL')
    assert.ok(end.exitSeenNs > killedNs)
    assert.deepEqual(await pool.run(bodyOf('echo', [1])), { end: 'returned', result: '1' })
    assert.notEqual(pool.children()[0]?.pid, pid)
  })

  it('names exit code and last words of a child that ended itself', async () => {
    const pool = await pools.started()
    const end = killed(await pool.run(bodyOf('complainAndExit')))
    assert.equal(end.why, 'crashed')
    assert.equal(end.detail, 'exit code 3: the disk is on fire')
  })

  it('[P13] a child that dies right after its verdict has returned: its body is not run again', async () => {
    const pool = await pools.started()
    for (let round = 0; round < 5; round += 1) {
      await pool.run(bodyOf('echo'))
      const pid = pool.children()[0]?.pid
      const run = pool.run(bodyOf('returnAndDie', [round]))
      // Verdict and death are both there when this loop looks again.
      setImmediate(() => block(100))
      assert.deepEqual(await run, { end: 'returned', result: String(round) })
      await until(() => pool.children()[0]?.pid !== pid)
    }
  })

  it('an idle child that dies is replaced', async () => {
    const pool = await pools.started()
    const { pid } = pool.children()[0] ?? assert.fail()
    process.kill(pid, 'SIGKILL')
    await until(() => !lives(pid))
    assert.deepEqual(await pool.run(bodyOf('echo', [1])), { end: 'returned', result: '1' })
  })

  it('a hard limit ends a body that spins, with all that it started', async () => {
    const pool = await pools.started()
    const file = join(pools.folder, 'grandchild')
    const end = killed(await pool.run(bodyOf('spinWithGrandchild', [file], { hardLimitMs: 2_000 })))
    assert.equal(end.why, 'time_limit')
    assert.equal(runs(Number(readFileSync(file, 'utf8'))), false)
  })

  it('a child killed alone takes what its body started with it', async () => {
    const pool = await pools.started()
    const file = join(pools.folder, 'orphan')
    const run = pool.run(bodyOf('spinWithGrandchild', [file]))
    const grandchild = await until(() => (existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0))
    process.kill(pool.children()[0]?.pid ?? 0, 'SIGKILL')
    killed(await run)
    assert.equal(runs(grandchild), false)
  })

  it('a soft limit aborts with SOFT_TIME_LIMIT, a lost lock with LOCK_LOST', async () => {
    const pool = await pools.started()
    const soft = await pool.run(bodyOf('untilAborted', [], { softLimitMs: 50 }))
    assert.deepEqual(soft, { end: 'returned', result: '"SOFT_TIME_LIMIT"' })
    const file = join(pools.folder, 'aborted')
    const body = bodyOf('untilAborted', [file])
    const run = pool.run(body)
    await until(() => existsSync(file))
    pool.abort(body.runId, 'lost')
    assert.deepEqual(await run, { end: 'returned', result: '"LOCK_LOST"' })
  })

  it('kills a running body and one that waits for a place', async () => {
    const pool = await pools.started()
    const [running, waiting] = [bodyOf('spin'), bodyOf('echo')]
    const ends = [pool.run(running), pool.run(waiting)]
    pool.kill(waiting.runId, 'cancelled')
    pool.kill(running.runId, 'lost')
    const [first, second] = await Promise.all(ends)
    assert.equal(first && killed(first).why, 'lost')
    assert.deepEqual(second, { end: 'unstarted', why: 'cancelled' })
    assert.deepEqual(await pool.run(bodyOf('echo', [1])), { end: 'returned', result: '1' })
  })

  it('a body asks its parent and gets the answer', async () => {
    const pool = await pools.started()
    assert.deepEqual(await pool.run(bodyOf('ask', [{ q: 1 }])), { end: 'returned', result: '{"heard":{"q":1}}' })
  })

  /** A pool, and the folder through which it carries what is large. */
  const spilling = async () => {
    const { TMPDIR } = process.env
    process.env['TMPDIR'] = mkdtempSync(join(pools.folder, 'tmp-'))
    const pool = await pools.started()
    const [spill = ''] = readdirSync(process.env['TMPDIR']).map((name) => join(tmpdir(), name))
    if (TMPDIR === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = TMPDIR
    return { pool, spill }
  }

  it('carries 20 MB both ways and leaves no file', async () => {
    const { pool, spill } = await spilling()
    const length = 20 * 1024 * 1024
    const there = await pool.run(bodyOf('sizeOf', ['x'.repeat(length)]))
    assert.deepEqual(there, { end: 'returned', result: String(length) })
    const back = await pool.run(bodyOf('big', [length]))
    assert.equal(back.end === 'returned' && back.result?.length, length + 2)
    assert.match(spill, /beatlock-body-/)
    assert.deepEqual(readdirSync(spill), [])
    await pool.close('finish')
    assert.equal(existsSync(spill), false)
  })

  it('ends a body whose large result cannot be written down as one that threw, and goes on', async () => {
    const { pool, spill } = await spilling()
    rmSync(spill, { recursive: true })
    const end = await pool.run(bodyOf('big', [20 * 1024 * 1024]))
    assert.match(end.end === 'threw' ? end.error : '', /ENOENT/)
    assert.deepEqual(await pool.run(bodyOf('echo', [1])), { end: 'returned', result: '1' })
  })

  it('a body that waited for its child past the deadline of its grant runs under the renewed one', async () => {
    const renewedNs = monotonicNs() + 60_000_000_000n
    const pool = await pools.started({ feed: { ...pools.keeper.feed, deadlineNs: () => renewedNs } })
    const end = await pool.run(bodyOf('remainingMs', [], { deadlineNs: monotonicNs() - 1n }))
    assert.equal(
      end.end,
      'returned',
      JSON.stringify(end, (_, value) => (typeof value === 'bigint' ? `${value}` : value)),
    )
    assert.ok(Number((end as Extract<BodyEnd, { end: 'returned' }>).result) > 50_000)
  })

  it('[P6] begins no body whose deadline has passed on the way', async () => {
    const pool = await pools.started({ size: 3 })
    const file = join(pools.folder, 'late')
    const late = () => pool.run(bodyOf('sleep', [0, file], { deadlineNs: monotonicNs() - 1n }))
    for (const end of await Promise.all([late(), late(), late(), late(), late()])) assert.equal(killed(end).why, 'lost')
    assert.ok(!existsSync(file))
  })

  it("start() rejects with the app's own error when no child starts", async () => {
    const pool = pools.create({ size: 2, spec: { fail: 'the app has a typo' } })
    await assert.rejects(pool.start(), { code: 'CHILD_START', message: /the app has a typo/ })
    assert.deepEqual(pool.children(), [])
  })

  it('a child that fails to start is tried again with growing pauses and told once', async () => {
    const startsFile = join(pools.folder, 'starts')
    const spec: { startsFile: string; fail?: string } = { startsFile }
    const pool = await pools.started({ spec })
    await pool.run(bodyOf('echo'))
    spec.fail = 'the app has a typo'
    process.kill(pool.children()[0]?.pid ?? 0, 'SIGKILL')
    const starts = () => readFileSync(startsFile, 'utf8').trim().split('\n').map(Number)
    await until(() => starts().length >= 5)
    const [, a = 0, b = 0, c = 0, d = 0] = starts()
    assert.ok(b - a >= 200e6 && c - b >= 400e6 && d - c >= 800e6, 'pauses double from 0.2 s')
    assert.deepEqual(pools.troubles, ['the app has a typo'])
  })

  it('children that somebody kills at their start are started again soon, and not at once', async () => {
    const spec: { hang?: boolean } = {}
    const pool = await pools.started({ spec })
    await pool.run(bodyOf('echo'))
    spec.hang = true
    const pausesMs: number[] = []
    for (let pid = pool.children()[0]?.pid ?? 0; pausesMs.length < 7; ) {
      process.kill(pid, 'SIGKILL')
      const killedNs = monotonicNs()
      pid = await until(() => pool.children().find((child) => child.pid !== pid)?.pid)
      pausesMs.push(ranMs(killedNs))
    }
    // The first was well, and is replaced at once. A child's own fault would be at 6.4 s by now.
    const last = pausesMs.at(-1) ?? 0
    assert.ok(last >= 200 && last < 4_000, `pauses of ${pausesMs.map(Math.round)} ms`)
    assert.deepEqual(pools.troubles, ['a child ended before it was ready: SIGKILL'])
  })

  it('bodies that wait for a child are given back when none starts, and run again when one does', async () => {
    const spec: { fail?: string } = {}
    const pool = await pools.started({ spec })
    const serving: boolean[] = []
    pool.onServing((now) => serving.push(now))
    spec.fail = 'the app has a typo'
    const [{ pid } = assert.fail()] = pool.children()
    process.kill(pid, 'SIGKILL')
    await until(() => pool.children()[0]?.pid !== pid)
    assert.deepEqual(await pool.run(bodyOf('echo')), { end: 'unstarted', why: 'no child' })
    assert.deepEqual(await pool.run(bodyOf('echo')), { end: 'unstarted', why: 'no child' })
    assert.deepEqual(serving, [false])
    const late: boolean[] = []
    pool.onServing((now) => late.push(now))
    assert.deepEqual(late, [false])
    delete spec.fail
    await until(() => late.length === 2)
    assert.deepEqual(late, [false, true])
    assert.deepEqual(await pool.run(bodyOf('echo', [1])), { end: 'returned', result: '1' })
  })

  it('a body waits for a child that hangs at its start no longer than it may, and the child is ended', async () => {
    const spec: { hang?: boolean } = {}
    const pool = await pools.started({ spec, startWaitMs: 300, readyMs: 2_500 })
    await pool.run(bodyOf('echo'))
    const serving: boolean[] = []
    pool.onServing((now) => serving.push(now))
    spec.hang = true
    const [{ pid } = assert.fail()] = pool.children()
    process.kill(pid, 'SIGKILL')
    await until(() => pool.children()[0]?.pid !== pid)
    assert.deepEqual(await pool.run(bodyOf('echo')), { end: 'unstarted', why: 'no child' })
    assert.deepEqual([serving, pools.troubles], [[false], []])
    await until(() => pools.troubles.some((message) => message.includes('not ready within 2.5 s')))
  })

  it('close(finish) does not wait for a child that hangs at its start', async () => {
    const spec: { hang?: boolean } = {}
    const pool = await pools.started({ size: 2, spec })
    spec.hang = true
    const [{ pid } = assert.fail()] = pool.children()
    process.kill(pid, 'SIGKILL')
    await until(() => pool.children().length === 2 && pool.children().every((child) => child.pid !== pid))
    await pool.close('finish')
    assert.deepEqual(pool.children(), [])
  })

  it('close(finish) waits for the body and starts nothing that waits', async () => {
    const pool = await pools.started()
    const file = join(pools.folder, 'finishing')
    const run = pool.run(bodyOf('told', [file, `${file}.end`]))
    const waiting = pool.run(bodyOf('echo'))
    await until(() => existsSync(file))
    const closed = pool.close('finish')
    writeFileSync(`${file}.end`, '')
    await closed
    assert.deepEqual(await run, { end: 'returned', result: '"slept"' })
    assert.deepEqual(await waiting, { end: 'unstarted', why: 'shutdown' })
    assert.deepEqual(pool.children(), [])
  })

  it('close(now) after close(finish) kills what does not end', async () => {
    const pool = await pools.started()
    const run = pool.run(bodyOf('spin'))
    const finish = pool.close('finish')
    await pool.close('now')
    await finish
    assert.equal(killed(await run).why, 'shutdown')
  })

  it('loses nothing of what a body prints', async () => {
    const parent = spawn(process.execPath, [fileURLToPath(new URL('./fixture/printing-parent.js', import.meta.url))])
    const texts = await Promise.all([parent.stdout.toArray(), parent.stderr.toArray()])
    for (const [index, name] of ['out', 'err'].entries()) {
      const lines = Buffer.concat(texts[index] ?? [])
        .toString()
        .trimEnd()
        .split('\n')
      assert.equal(lines.length, 20_000)
      assert.ok(lines.every((line, at) => line.match(/^\[child \d+\] (.*)$/)?.[1]?.startsWith(`${name} ${at} `)))
    }
  })

  it('a body takes some tens of µs to reach its child and come back', async () => {
    const pool = await pools.started()
    for (let each = 0; each < 500; each += 1) await pool.run(bodyOf('echo', [1]))
    const count = 2000
    const startNs = monotonicNs()
    for (let each = 0; each < count; each += 1)
      await pool.run(bodyOf('echo', [1], { deadlineNs: startNs + BigInt(6e10) }))
    const µs = (ranMs(startNs) * 1e3) / count
    if (process.env['BEATLOCK_TELL']) console.log(`      hop: ${µs.toFixed(0)} µs`)
    assert.ok(µs < 2000, `${µs} µs a hop`)
  })
})

function block(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** A zombie that nobody reaps does not run. */
function runs(pid: number): boolean {
  if (!lives(pid)) return false
  return process.platform !== 'linux' || !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
}
