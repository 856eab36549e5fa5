import assert from 'node:assert/strict'
import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { openLockStore } from '../../adapters/memory/lock-store.js'
import { memoryServer } from '../../adapters/memory/server.js'
import type { Keeper } from '../../src/lock/keeper.js'
import { startKeeper } from '../../src/lock/keeper.js'
import type { LockKey } from '../../src/lock/key.js'
import type { HeldLease, Loss } from '../../src/lock/lease-keeper.js'
import { monotonicNs } from '../../src/lock/trust.js'
import type { WorkerRow } from '../../src/lock/worker-row.js'
import { until } from '../support/until.js'

/** Trusted for longer than a busy machine keeps the first renewal, at a third of it, waiting. */
const LEASE_MS = 6_000

describe('Keeper', () => {
  const keepers: Keeper[] = []
  const troubles: Error[] = []
  const losses: Loss[] = []
  afterEach(async () => {
    for (const keeper of keepers.splice(0)) {
      await keeper.close()
      assert.equal(existsSync(dirname(keeper.feed.path)), false)
    }
    troubles.length = losses.length = 0
  })

  async function start(locks: Parameters<typeof startKeeper>[0]['locks'], worker: WorkerRow | null = null) {
    const keeper = await startKeeper({ locks, leaseMs: LEASE_MS, worker, onTrouble: (error) => troubles.push(error) })
    keepers.push(keeper)
    keeper.onLost((loss) => losses.push(loss))
    return keeper
  }

  const fixture = (name: string) => ({
    source: { module: new URL(`./fixture/${name}.js`, import.meta.url).href, options: {} },
  })

  it('listens in a folder of its own that nobody else may enter, on a path that any system can hold', async () => {
    const { feed } = await start({ store: openLockStore({ server: memoryServer(), app: 'keeper' }) })
    assert.ok(Buffer.byteLength(feed.path) <= 100)
    assert.equal(statSync(dirname(feed.path)).mode & 0o777, 0o700)
    assert.notEqual(feed.ticket(), feed.ticket())
  })

  it('shows its worker to others with its first batch', async () => {
    const store = openLockStore({ server: memoryServer(), app: 'keeper' })
    await start({ store }, rowOf('w1'))
    await until(async () => (await store.workers({ allApps: false })).some(({ name }) => name === 'w1'))
  })

  it('[P7] reports a lease that the store does not know as lost, once', async () => {
    const keeper = await start({ store: openLockStore({ server: memoryServer(), app: 'keeper' }) })
    keeper.hold(leaseOf('a'))
    await until(() => losses.length > 0)
    assert.deepEqual(losses, [{ runId: 'a', messageId: 'm-a', token: 1, reason: 'ended' }])
  })

  it('[P24] rejects with the error of a store that cannot be opened, and leaves nothing behind', async () => {
    const error = { name: 'StoreUnavailable', message: '127.0.0.1:1 cannot be reached: connection refused' }
    await assert.rejects(start(fixture('unreachable')), { ...error, code: 'STORE_UNAVAILABLE', server: '127.0.0.1:1' })
  })

  it('[P7] all leases are lost when its thread dies, later ones too', async () => {
    const keeper = await start(fixture('dying-thread'))
    keeper.hold(leaseOf('a'))
    await until(() => losses.length > 0)
    assert.equal(losses[0]?.reason, 'keeper')
    assert.equal(keeper.feed.deadlineNs('a'), 0n)
    assert.match(troubles.map(({ message }) => message).join(), /ended unexpectedly/)
    keeper.hold(leaseOf('b'))
    await until(() => losses.some(({ runId, reason }) => runId === 'b' && reason === 'keeper'))
  })
})

function leaseOf(runId: string): HeldLease {
  const key = `t:${runId}` as LockKey
  return { runId, key, messageId: `m-${runId}`, token: 1, limit: 1, label: 't', sentAtNs: monotonicNs() }
}

function rowOf(name: string): WorkerRow {
  const row = {
    app: 'keeper',
    name,
    host: 'h',
    pid: 1,
    queues: [],
    tasks: [],
    guards: {},
    version: '0',
    concurrency: 1,
  }
  return { ...row, startedAt: Date.now(), seenAt: 0 }
}
