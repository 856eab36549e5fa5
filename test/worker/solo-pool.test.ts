import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openLockStore } from '../../adapters/memory/lock-store.js'
import { memoryServer } from '../../adapters/memory/server.js'
import { type Keeper, startKeeper } from '../../src/lock/keeper.js'
import { monotonicNs, msToNs } from '../../src/lock/trust.js'
import type { BodyVerdict } from '../../src/task-base/body.js'
import type { ExecuteRequest } from '../../src/task-base/execute.js'
import { SoloPool } from '../../src/worker/solo-pool.js'
import { bodyOf } from './fixture/body.js'

describe('SoloPool', () => {
  let keeper: Keeper
  let pool: SoloPool
  let execute: (request: ExecuteRequest) => Promise<BodyVerdict>

  beforeEach(async () => {
    const store = openLockStore({ server: memoryServer(), app: 'solo' })
    keeper = await startKeeper({ locks: { store }, leaseMs: 5000, worker: null, onTrouble: () => {} })
    pool = new SoloPool({ app: { execute: (request) => execute(request) }, keeper })
    await pool.start()
  })
  afterEach(async () => {
    await pool.close('finish')
    // This process is still here afterwards: the dead-man was disarmed before its feed ended.
    await keeper.close()
  })

  const returned = (value: unknown): BodyVerdict => ({ end: 'returned', result: JSON.stringify(value) })

  const codeOfAbort = ({ signal }: ExecuteRequest) =>
    new Promise<BodyVerdict>((resolve) =>
      signal.addEventListener('abort', () => resolve(returned((signal.reason as { code: string }).code))),
    )

  it('runs one body after another and says how long each may go on', async () => {
    let most = 0
    let running = 0
    execute = async ({ remainingMs }) => {
      running += 1
      most = Math.max(most, running)
      await new Promise((resolve) => setTimeout(resolve, 20))
      running -= 1
      return returned(remainingMs() > 5000 && remainingMs() <= 10_000)
    }
    const deadlineNs = monotonicNs() + msToNs(10_000)
    const ends = [1, 2].map(() => pool.run(bodyOf('a', [], { deadlineNs })))
    assert.deepEqual(await Promise.all(ends), [returned(true), returned(true)])
    assert.equal(most, 1)
  })

  it('aborts a body at its limit, and when its lock is lost', async () => {
    execute = codeOfAbort
    assert.deepEqual(await pool.run(bodyOf('a', [], { softLimitMs: 20 })), returned('SOFT_TIME_LIMIT'))
    const body = bodyOf('a')
    const run = pool.run(body)
    setImmediate(() => pool.abort(body.runId, 'lost'))
    assert.deepEqual(await run, returned('LOCK_LOST'))
  })

  it('[P7] [P11] counts a body that stopped for its lost lock as lost, one that was told to stop for another reason as ended', async () => {
    execute = ({ signal }) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve({ end: 'threw', error: '{}' })))
    const ends = []
    for (const why of ['lost', 'cancelled'] as const) {
      const body = bodyOf('a')
      const run = pool.run(body)
      setImmediate(() => pool.abort(body.runId, why))
      ends.push(await run)
    }
    const [lost, cancelled] = ends
    assert.deepEqual([lost?.end, lost?.end === 'killed' && lost.why], ['killed', 'lost'])
    assert.equal(cancelled?.end, 'threw')
  })

  it('[P6] begins no body whose deadline has passed on the way', async () => {
    let begun = 0
    execute = async () => {
      begun += 1
      return returned(null)
    }
    const late = await pool.run(bodyOf('late', [], { deadlineNs: monotonicNs() - 1n }))
    assert.deepEqual([late, begun], [{ end: 'unstarted', why: 'lost' }, 0])
    assert.equal((await pool.run(bodyOf('next'))).end, 'returned')
  })

  it('[P7] ends its process when a body spins past its deadline', async () => {
    const script = fileURLToPath(new URL('./fixture/solo.js', import.meta.url))
    const startedNs = monotonicNs()
    // Ended by SIGKILL, it leaves the folder of its feed behind.
    const TMPDIR = mkdtempSync(join(tmpdir(), 'beatlock-solo-'))
    const env = { ...process.env, TMPDIR }
    const child = spawn(process.execPath, [script, '800'], { stdio: ['ignore', 'pipe', 'inherit'], env })
    const [, [code, signal]] = await Promise.all([once(child.stdout, 'data'), once(child, 'exit')])
    rmSync(TMPDIR, { recursive: true })
    assert.deepEqual([code, signal], [null, 'SIGKILL'])
    assert.ok(monotonicNs() - startedNs >= msToNs(800))
  })
})
