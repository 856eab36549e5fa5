import assert from 'node:assert/strict'
import { openLockStore, openScheduleStore } from '../../adapters/redis/index.js'
import type { ScheduleStore } from '../../src/beat/schedule-store.js'
import { lockKey } from '../../src/lock/key.js'
import type { LockStore } from '../../src/lock/lock-store.js'
import type { RunAnswer } from '../../src/lock/message-step.js'
import { acquiring, KEY, refTo, releasing, renewal, requeueStep, runStep, TASK } from '../contract/lock-store/scene.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'

const TIMES = { publishLeaseMs: 1_000, resultMs: 1_000 }

describe('[P23] round trips to Redis', () => {
  let server: RedisServer
  let proxy: TcpProxy
  let store: LockStore
  let schedule: ScheduleStore

  before(async () => {
    server = await startRedis()
    proxy = await startTcpProxy(server.port)
    const options = { app: 'shop', url: `redis://127.0.0.1:${proxy.port}`, server: 'here' }
    store = await openLockStore(options)
    schedule = await openScheduleStore(options)
    // Loads the scripts, which would cost the first use of each another trip.
    await lifeOf(store, async (_, verb) => verb())
    await slotOf(schedule, async (_, verb) => verb())
    await store.acquire(acquiring('due', { publishLeaseMs: 0 }))
    await store.sweep({ limit: 10, ...TIMES })
    await store.destroy()
    // The shards' epochs are made sure of once a client.
    await store.sweep({ limit: 10, ...TIMES })
    // Held back, the replies of one call cannot be mistaken for those of several.
    proxy.delay(15)
  })
  after(async () => {
    await store.close()
    await schedule.close()
    await proxy.stop()
    await server.stop()
  })

  it('each verb of the lock costs one', () => lifeOf(store, (name, verb) => counts(name, verb, 1)))

  it('each verb of the timetable costs one', () => slotOf(schedule, (name, verb) => counts(name, verb, 1)))

  it('1000 leases, a worker and acknowledgements are renewed in one', async () => {
    const leases = Array.from({ length: 1_000 }, (_, n) => ({
      ...renewal(`m${n}`, 1),
      key: lockKey(TASK, `[${n}]`),
    }))
    // The test before this one destroyed all: the epochs are made sure of anew.
    await store.sweep({ limit: 10, ...TIMES })
    await counts('renew', () => store.renew({ worker: null, leases, acked: [refTo('a')] }), 1)
    await counts('confirm', () => store.confirm(leases.map(({ key, messageId }) => ({ key, messageId, round: 1 }))), 1)
  })

  it('500 new entries are put in one, and read in one', async () => {
    await counts(
      'put',
      () =>
        schedule.put(
          Array.from({ length: 500 }, (_, n) => entry(`entry ${n}`)),
          'merge',
        ),
      1,
    )
    await counts('changes', () => schedule.changes(0, 500), 1)
  })

  it('a sweep costs one where nothing is due, else two', async () => {
    await counts('sweep', () => store.sweep({ limit: 10, ...TIMES }), 1)
    await store.acquire(acquiring('due', { key: lockKey(TASK, '[due]'), publishLeaseMs: 0 }))
    await counts('sweep', () => store.sweep({ limit: 10, ...TIMES }), 2)
  })

  async function counts(name: string, verb: () => Promise<unknown>, trips: number): Promise<void> {
    const before = proxy.turns
    await verb()
    assert.equal(proxy.turns - before, trips, name)
  }
})

type Ask = (name: string, verb: () => Promise<unknown>) => Promise<unknown>

async function lifeOf(store: LockStore, ask: Ask): Promise<void> {
  await ask('now', () => store.now())
  await ask('acquire', () => store.acquire(acquiring('a')))
  await ask('confirm', () => store.confirm([refTo('a')]))
  const run = (): Promise<RunAnswer> => store.advance(runStep('a', { leaseMs: 10_000 }))
  await ask('advance to running', run)
  const granted = await run()
  assert.ok(granted.outcome === 'granted')
  await ask('renew', () => store.renew({ worker: null, leases: [renewal('a', granted.token)], acked: [] }))
  await ask('advance to queued', () => store.advance(requeueStep('a', granted.token)))
  await ask('release', () => store.release(releasing('a', null)))
  const doubt = { ...refTo('a'), stage: 'running', token: 1, queue: 'default' } as const
  await ask('resolve', () => store.resolve({ doubt, state: 'absent', maxDeliveries: 3, ...TIMES }))
  await ask('show', () => store.show(KEY))
  await ask('find by key', () => store.find('a', KEY))
  await ask('find without a key', () => store.find('a', null))
  await ask('clear', () => store.clear({ key: KEY, parked: false, running: 'keep', by: 'ada', ...TIMES }))
  const revoking = { messageId: 'a', round: 1, terminate: true, by: 'ada', ...TIMES }
  await ask('revoke by key', () => store.revoke({ ...revoking, key: KEY }))
  await ask('revoke without a key', () => store.revoke({ ...revoking, key: null }))
  await ask('workers', () => store.workers({ allApps: false }))
  await ask('leave', () => store.leave('w1'))
  await ask('definition', () => store.definition(TASK))
  await ask('list', async () => {
    for await (const row of store.list({})) assert.ok(row)
  })
  await store.destroy()
}

async function slotOf(store: ScheduleStore, ask: Ask): Promise<void> {
  await ask('put', () => store.put([entry('rollup')], 'add'))
  const { revision, nominal: from } = (await store.alter('rollup', { to: 'asked' })) ?? { revision: 0, nominal: 0 }
  const nominal = from + 1_000
  const of = { entry: 'rollup', revision, from } as const
  const dropped = [{ decision: 'missed', slots: 1, latest: from + 1 }] as const
  await ask('reserve', () => store.reserve({ ...of, nominal, kind: 'slot', by: 'b1', claimMs: 1_000, dropped }))
  await ask('pass', () => store.pass({ ...of, to: nominal, dropped }))
  await ask('take over', () => store.takeOver({ entry: 'rollup', term: 1, by: 'b2', claimMs: 1_000 }))
  const decision = { entry: 'rollup', nominal, decision: 'published', holder: null, slots: 1, term: 1 } as const
  await ask('decide', () => store.decide(decision))
  await ask('alter', () => store.alter('rollup', { to: 'disabled' }))
  await ask('show', () => store.show('rollup'))
  await ask('changes', () => store.changes(0, 10))
  await ask('history', () => store.history('rollup', 10))
  await ask('attend', () => store.attend({ by: 'b1', report: null, leadMs: 1_000 }))
  await ask('beats', () => store.beats())
  await ask('leave', () => store.leave('b1'))
}

function entry(name: string) {
  return { name, spec: '{}', config: null, maxRuns: null }
}
