import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AlreadyQueued, App, LockLost, StoreUnavailable } from '../../src/index.js'
import { type Backend, startBackend } from '../support/backends.js'
import type { DirectSpec } from '../support/direct-process.js'
import { ranMs } from '../support/machine-time.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'
import { until } from '../support/until.js'

const PROCESS = fileURLToPath(new URL('../support/direct-process.js', import.meta.url))
const LEASE_MS = 5000
const LOCK_DELAY_MS = 1667
const NAME = 'direct'

for (const backendName of ['redis', 'postgres'] as const) {
  describe(`code guarded without a task, on ${backendName}`, function () {
    this.timeout(120_000)
    let server: Backend
    let proxy: TcpProxy
    let app: App
    let other: App
    let folder: string
    const children: ChildProcess[] = []

    before(async () => {
      server = await startBackend(backendName)
      proxy = await startTcpProxy(server.port)
      folder = mkdtempSync(join(tmpdir(), 'beatlock-direct-'))
      const options = { broker: server.url, locks: { lease: `${LEASE_MS}ms` } } as const
      app = new App(NAME, options)
      other = new App(NAME, options)
    })

    after(async () => {
      for (const child of children) child.kill('SIGKILL')
      await app?.close()
      await other?.close()
      await proxy?.stop()
      await server?.remove()
      rmSync(folder, { recursive: true, force: true })
    })

    afterEach(async () => {
      for (const open of gates.splice(0)) open()
      await until(async () => (await app.locks.list().next()).done, { what: 'no lock to be left' })
    })

    it('[P1] eight contenders in four processes raise a plain number without losing one', async () => {
      const file = join(folder, 'counter')
      writeFileSync(file, '0')
      const four = [1, 2, 3, 4].map(() => start({ do: 'count', file, contenders: 2, times: 4 }))
      const exits = await Promise.all(four.map((child) => once(child, 'exit')))
      assert.deepEqual(
        exits,
        [1, 2, 3, 4].map(() => [0, null]),
      )
      assert.equal(readFileSync(file, 'utf8'), '32')
    })

    it('skips or raises while another process has the key, and shows that one in the list', async () => {
      const body = gate()
      const first = other.locks.run('import', { key: 7 }, () => body.opened)
      const row = await holding('import')
      assert.equal(row.label, 'import args=7')
      assert.equal(row.alive, true)
      assert.ok(row.token !== null && row.worker?.startsWith(`${process.pid}@`))
      const skipped = await app.locks.run('import', { key: 7 }, () => assert.fail('must not run'))
      assert.ok(!skipped.ran && skipped.holder.id === row.holder && skipped.holder.worker === row.worker)
      const raised = app.locks.run('import', { key: 7, overlap: 'raise' }, () => 1)
      await assert.rejects(raised, (error: AlreadyQueued) => {
        return error instanceof AlreadyQueued && error.holder.id === row.holder && error.remainingMs > 0
      })
      assert.equal((await app.locks.run('import', { key: 8 }, () => 1)).ran, true)
      body.open()
      await first
      const again = await app.locks.run('import', { key: 7 }, ({ token }) => token)
      assert.ok(again.ran && again.value > (row.token ?? 0), '[P3] with a higher token')
    })

    it('[P19] one release wakes one waiter, in order of asking, and none before', async () => {
      const bodies = [gate(), gate(), gate(), gate()]
      const started: number[] = []
      const runs: Promise<unknown>[] = []
      for (const [n, body] of bodies.entries()) {
        const asker = n % 2 === 0 ? app : other
        const run = (): Promise<void> => {
          started.push(n)
          return body.opened
        }
        runs.push(asker.locks.run('line', { wait: '30s' }, run))
        await until(async () => (await app.locks.list({ task: 'line' }).next()).value?.parked === n)
      }
      for (const [n, body] of bodies.entries()) {
        await until(() => started.length === n + 1, { what: `waiter ${n}` })
        const { value: row } = await app.locks.list({ task: 'line', stage: 'running' }).next()
        assert.equal(row?.parked, bodies.length - n - 1)
        assert.deepEqual(started, [0, 1, 2, 3].slice(0, n + 1))
        body.open()
      }
      await Promise.all(runs)
    })

    it('[P19] a bounded wait ends while the key is held, and leaves no place in line', async () => {
      const body = gate()
      const first = other.locks.run('import', {}, () => body.opened)
      const row = await holding('import')
      const askedNs = process.hrtime.bigint()
      const second = await app.locks.run('import', { wait: '600ms' }, () => assert.fail('must not run'))
      const [waitedMs, ranForMs] = [Number(process.hrtime.bigint() - askedNs) / 1e6, ranMs(askedNs)]
      assert.ok(!second.ran && second.holder.id === row.holder)
      assert.ok(waitedMs >= 590 && ranForMs < 2500, `waited ${waitedMs} ms`)
      assert.deepEqual((await app.locks.show(row.key))?.parked, [])
      body.open()
      await first
    })

    it('[P8] a process killed with -9 frees its key after lease and lock delay', async () => {
      const child = start({ do: 'hold', name: 'held' })
      await once(child, 'message')
      const killedNs = process.hrtime.bigint()
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await exit
      const askedNs = process.hrtime.bigint()
      const leaseLeftMs = (await holding('held')).ttlMs ?? 0
      const refused = await app.locks.run('held', {}, () => 1)
      assert.ok(!refused.ran && refused.holder.worker?.startsWith(`${child.pid}@`))
      const next = await app.locks.run('held', { wait: '30s' }, () => process.hrtime.bigint())
      assert.ok(next.ran)
      const earlyMs = leaseLeftMs + LOCK_DELAY_MS - Number(next.value - askedNs) / 1e6
      assert.ok(earlyMs <= 1, `freed ${earlyMs} ms before lease and lock delay were over`)
      // Then a sweep, and a look of the waiter.
      const freedMs = ranMs(killedNs, next.value)
      assert.ok(freedMs < LEASE_MS + LOCK_DELAY_MS + 3000, `freed after ${freedMs} ms`)
    })

    it('[P7] a lost lease aborts the signal within a second of its trust’s end, and the call rejects', async () => {
      const url = new URL(server.url)
      url.port = String(proxy.port)
      const cutOff = new App(NAME, { broker: url.href, locks: { lease: `${LEASE_MS}ms` } })
      const lost: string[] = []
      cutOff.on('run:lost', ({ reason }) => lost.push(reason))
      let trustedUntilNs = 0n
      let abortedNs = 0n
      const run = cutOff.locks.run('import', {}, async ({ signal, remainingMs }) => {
        trustedUntilNs = process.hrtime.bigint() + BigInt(Math.round(remainingMs() * 1e6))
        proxy.cut()
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
        abortedNs = process.hrtime.bigint()
        return 'too late'
      })
      await assert.rejects(run, LockLost)
      const lateMs = Number(abortedNs - trustedUntilNs) / 1e6
      assert.ok(lateMs > -50 && ranMs(trustedUntilNs, abortedNs) < 1000, `aborted ${lateMs} ms after its trust's end`)
      assert.deepEqual(lost, ['deadline'])
      await assert.rejects(
        cutOff.locks.run('import', { overlap: 'raise' }, () => 1),
        StoreUnavailable,
        '[P24] never "refused"',
      )
      proxy.heal()
      const next = await app.locks.run('import', { wait: '30s' }, () => true)
      assert.ok(next.ran)
      await cutOff.close()
    })

    function start(spec: Record<string, unknown>): ChildProcess {
      const whole = { app: NAME, broker: server.url, lease: '5s', ...spec } as DirectSpec
      const child = fork(PROCESS, [JSON.stringify(whole)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
      children.push(child)
      return child
    }

    function holding(task: string): Promise<import('../../src/index.js').LockInfo> {
      return until(async () => (await app.locks.list({ task, stage: 'running' }).next()).value)
    }
  })
}

const gates: (() => void)[] = []

/** Opened at the end of its test at the latest: what runs keeps its app from closing. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  gates.push(() => open())
  return { opened, open: () => open() }
}
