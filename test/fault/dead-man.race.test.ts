import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DeadlineFeed } from '../../src/lock/deadline-feed.js'
import { ticketKey, writeTicket } from '../../src/lock/feed-ticket.js'
import { monotonicNs, msToNs } from '../../src/lock/trust.js'
import { ranMs } from '../support/machine-time.js'
import { until } from '../support/until.js'

const LEASE_MS = 3000

describe('a child whose keeper or lease is gone', () => {
  let folder: string
  let files = 0
  const started: ChildProcess[] = []
  const children: number[] = []

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'beatlock-fault-'))
  })
  after(() => rmSync(folder, { recursive: true }))
  afterEach(async () => {
    for (const child of started.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    for (const pid of children.splice(0)) await until(() => !runs(pid), { what: `the end of child ${pid}` })
  })

  function file(): string {
    files += 1
    return join(folder, `file-${files}`)
  }

  async function startParent(orders: Record<string, unknown>): Promise<{ child: ChildProcess; lines: string[] }> {
    const script = fileURLToPath(new URL('./fixture/parent.js', import.meta.url))
    const all = { leaseMs: LEASE_MS, renewals: file(), store: 'always-renewed', bodies: [], blockMs: 0, ...orders }
    const child = spawn(process.execPath, [script, JSON.stringify(all)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      // A parent that is killed leaves its folders behind.
      env: { ...process.env, TMPDIR: folder },
    })
    started.push(child)
    const lines: string[] = []
    child.stdout?.on('data', (data: Buffer) => lines.push(...data.toString().trimEnd().split('\n')))
    await until(() => lines.length > 0, { what: 'a ready parent' })
    children.push(...(JSON.parse(lines[0] ?? '') as { ready: number[] }).ready)
    return { child, lines }
  }

  it('[P2] dies at once, spinning, when its parent is killed, and so does what it started', async () => {
    const [spins, orphan] = [file(), file()]
    const bodies = [
      { task: 'spin', args: [spins] },
      { task: 'spinWithGrandchild', args: [orphan] },
    ]
    const { child } = await startParent({ bodies })
    await until(() => existsSync(spins) && existsSync(orphan) && Number(readFileSync(orphan, 'utf8')) > 0)
    const pids = [...children, Number(readFileSync(orphan, 'utf8'))]
    assert.equal(pids.every(runs), true)
    const killedNs = monotonicNs()
    child.kill('SIGKILL')
    await until(() => !pids.some(runs), { everyMs: 1 })
    const ms = ranMs(killedNs)
    tellMs('parent killed → children dead', ms)
    assert.ok(ms < 1000, `${ms} ms`)
  })

  it('[P7] dies at its deadline while it spins and its parent is blocked', async () => {
    const bodies = [{ task: 'spin', args: [] }]
    const { lines } = await startParent({ bodies, store: 'never-answers', blockMs: 2 * LEASE_MS })
    const readyNs = monotonicNs()
    const [pid = 0] = children
    await until(() => !runs(pid), { everyMs: 1 })
    assert.ok(ranMs(readyNs) < LEASE_MS, 'while its parent was blocked')
    const end = JSON.parse(await until(() => lines[1])) as { end: string; why: string; detail: string }
    assert.deepEqual([end.end, end.why, end.detail], ['killed', 'lost', 'SIGKILL'])
  })

  it('[P9] keeps its lease while the main loop of its parent is blocked for longer than that', async () => {
    const renewals = file()
    const leaseMs = 5_000
    const bodies = [{ task: 'sleep', args: [1.2 * leaseMs] }]
    const { lines } = await startParent({ leaseMs, bodies, renewals, blockMs: 1.3 * leaseMs })
    const end = JSON.parse(await until(() => lines[1])) as unknown
    assert.deepEqual(end, { end: 'returned', result: '"slept"' })
    const times = readFileSync(renewals, 'utf8').trim().split('\n')
    assert.ok(times.length >= 2, `${times.length} renewals`)
  })

  it('[P7] its signal fires when the lock is taken away, though its parent is blocked', async () => {
    const note = file()
    const bodies = [{ task: 'noteAbort', args: [note] }]
    const { lines } = await startParent({ bodies, store: 'taken-away', blockMs: 2 * LEASE_MS })
    const startedNs = monotonicNs()
    // The file is there before its text is.
    const reason = await until(() => existsSync(note) && readFileSync(note, 'utf8'), { everyMs: 1 })
    assert.ok(ranMs(startedNs) < LEASE_MS)
    assert.equal(reason, 'LOCK_LOST')
    assert.equal(lines.length, 1)
  })

  it('[P7] is killed at its deadline while it is stopped: the keeper does what its dead-man cannot', async () => {
    const bodies = [{ task: 'sleep', args: [60_000] }]
    const { lines } = await startParent({ bodies, store: 'never-answers' })
    process.kill(children[0] ?? 0, 'SIGSTOP')
    const end = JSON.parse(await until(() => lines[1])) as { end: string; why: string }
    assert.deepEqual([end.end, end.why], ['killed', 'lost'])
  })

  it('[P2] is dead within 250 ms of waking from a stop that outlasted its deadline', async () => {
    const feed = await startFeed()
    try {
      const child = await startArmed(feed, monotonicNs() + msToNs(600_000))
      const deadlineNs = monotonicNs() + msToNs(700)
      feed.tell(deadlineNs)
      child.kill('SIGSTOP')
      await until(() => monotonicNs() > deadlineNs + msToNs(300))
      assert.equal(child.signalCode, null)
      const wokenNs = monotonicNs()
      child.kill('SIGCONT')
      await until(() => child.signalCode, { everyMs: 1 })
      const ms = ranMs(wokenNs)
      tellMs('SIGCONT → dead', ms)
      assert.ok(ms < 250, `${ms} ms`)
    } finally {
      await feed.server.close()
    }
  })

  it('[P9] lives on when a newer deadline comes in time, and dies at that', async () => {
    const feed = await startFeed()
    try {
      const child = await startArmed(feed, monotonicNs() + msToNs(600_000))
      const firstNs = monotonicNs() + msToNs(1000)
      const nextNs = firstNs + msToNs(600)
      for (const deadlineNs of [firstNs, nextNs]) feed.tell(deadlineNs)
      await until(() => child.signalCode, { everyMs: 1 })
      const goneNs = monotonicNs()
      const lateMs = ranMs(nextNs, goneNs)
      assert.ok(goneNs >= nextNs && lateMs < 250, `${lateMs} ms after the newer deadline`)
    } finally {
      await feed.server.close()
    }
  })

  it('dies when the feed ends, without any deadline', async () => {
    const feed = await startFeed()
    const child = await startArmed(feed)
    const endedNs = monotonicNs()
    await feed.server.close()
    await until(() => child.signalCode, { everyMs: 1 })
    assert.ok(ranMs(endedNs) < 250)
  })

  it('is not let in with a ticket that was used or is not genuine', async () => {
    const feed = await startFeed()
    try {
      await startArmed(feed)
      for (const ticket of [writeTicket(feed.key, 0), writeTicket(ticketKey(), 1), '1.abc']) {
        const child = spawnArmed(feed.path, ticket, file())
        const [code, signal] = await once(child, 'exit')
        assert.deepEqual([code, signal], [1, null])
      }
    } finally {
      await feed.server.close()
    }
  })

  async function startFeed() {
    const path = file()
    const key = ticketKey()
    const deadlines = new Map<string, bigint>()
    const lossOf = () => undefined
    const server = new DeadlineFeed({ path, ticketKey: key, deadlineNs: (runId) => deadlines.get(runId), lossOf })
    await server.listen()
    /** Whether or not it has asked yet. */
    const tell = (deadlineNs: bigint): void => {
      deadlines.set('run', deadlineNs)
      server.deadline('run', deadlineNs)
    }
    return { server, path, key, tell }
  }

  async function startArmed(feed: { path: string; key: Uint8Array }, deadlineNs?: bigint): Promise<ChildProcess> {
    const note = file()
    const child = spawnArmed(feed.path, writeTicket(feed.key, 0), note, deadlineNs)
    await until(() => existsSync(note), { what: 'an armed child' })
    return child
  }

  function spawnArmed(path: string, ticket: string, note: string, deadlineNs?: bigint): ChildProcess {
    const script = fileURLToPath(new URL('./fixture/armed.js', import.meta.url))
    const args = [script, path, ticket, note, ...(deadlineNs === undefined ? [] : [String(deadlineNs)])]
    const child = spawn(process.execPath, args, { stdio: 'ignore' })
    started.push(child)
    return child
  }
})

/** Whether a process exists and is no zombie. */
function runs(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return process.platform !== 'linux' || !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

function tellMs(what: string, ms: number): void {
  if (process.env['BEATLOCK_TELL']) console.log(`      ${what}: ${ms.toFixed(1)} ms`)
}
