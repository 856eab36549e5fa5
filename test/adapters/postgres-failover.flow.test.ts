import assert from 'node:assert/strict'
import { Client } from 'pg'
import { openBarrier, openLockStore, type PostgresOptions } from '../../adapters/postgres/index.js'
import type { Claim } from '../../src/lock/renewal.js'
import { KEY, runStep, type Scene, sceneOf } from '../contract/lock-store/scene.js'
import { type PostgresPair, startPostgresPair } from '../support/postgres-pair.js'
import { until } from '../support/until.js'
import { appName } from './postgres-bench.js'

/** No lease ends in here, however long the machine stalls; the grace is ended by hand. */
const LONG = { leaseMs: 60_000, lockDelayMs: 20_000 }

describe('a Postgres standby is promoted', function () {
  this.timeout(180_000)
  let pair: PostgresPair
  const closing: { close(): Promise<void> }[] = []
  const keep = <T extends { close(): Promise<void> }>(each: T): T => {
    closing.push(each)
    return each
  }
  afterEach(async () => {
    for (const each of closing.splice(0).reverse()) await each.close()
    await pair?.remove()
  })

  const optionsAt = (connection: PostgresPair['connection'], app: string): PostgresOptions => ({
    ...{ app, connection, server: 'postgres' },
  })
  const sceneAt = async (connection: PostgresPair['connection'], app: string): Promise<Scene> => {
    const store = keep(await openLockStore(optionsAt(connection, app)))
    return sceneOf({ app, store, advanceTime: async () => {}, another: async () => store, close: async () => {} })
  }
  const start = async (replication?: 'sync') => {
    pair = await startPostgresPair(replication)
    const app = appName()
    const scene = await sceneAt(pair.connection, app)
    await scene.sweep()
    return { app, scene }
  }

  /** Runs a message, and answers with what its holder renews. */
  async function granted(
    scene: Scene,
    id: string,
  ): Promise<{ token: number; renewal: { claim: Claim; leaseMs: number } }> {
    const answer = await scene.run(id, LONG)
    assert.ok(answer.outcome === 'granted', answer.outcome)
    const { round, terms, owner, worker, barrier, slot } = runStep(id)
    const { token, deliveries, retries } = answer
    const { leaseMs, lockDelayMs } = LONG
    const claim = { round, terms, owner, worker, barrier, slot, lockDelayMs, deliveries, retries }
    return { token, renewal: { claim, leaseMs } }
  }

  /** As if the grace had passed. */
  async function endGrace(): Promise<void> {
    const admin = new Client(pair.standby.connection)
    await admin.connect()
    const { rowCount } = await admin.query(
      'update beatlock.epoch set lost_at = lost_at - 80000 where lost_at is not null',
    )
    await admin.end()
    assert.equal(rowCount, 1, 'the failover was noticed')
  }

  it('[P2] [P3] that lacks the last grant: nothing starts while that may be trusted, its holder has it again, tokens grow', async () => {
    const { scene } = await start()
    const before = await granted(scene, 'earlier')
    await scene.release('earlier', before.token)
    await pair.caughtUp()
    await pair.cutStream()
    await scene.acquire('a')
    const lost = await granted(scene, 'a')
    pair.primary.kill()
    await pair.failOver()

    assert.equal(await scene.store.find('a', null).then(({ hold }) => hold), null, 'the grant is lost')
    const other = await scene.run('b', { ...LONG, whenHeld: 'wait' })
    assert.ok(other.outcome === 'recovering', other.outcome)
    assert.ok(other.remainingMs > 0 && other.remainingMs <= LONG.leaseMs + LONG.lockDelayMs)
    assert.equal((await scene.renew('a', lost.token, lost.renewal)).outcome, 'renewed')
    assert.equal((await scene.run('b', { ...LONG, whenHeld: 'wait' })).outcome, 'refused')
    await endGrace()
    assert.equal((await scene.run('b', { ...LONG, whenHeld: 'wait' })).outcome, 'refused', 'the run goes on')
    const released = await scene.release('a', lost.token)
    assert.ok(released.outcome === 'released')
    assert.ok((await granted(scene, 'b')).token > lost.token)
  })

  it('[P2] that lacks nothing: a run that it knows of keeps its key as long as its holder may trust it', async () => {
    const { scene } = await start()
    const { token, renewal } = await granted(scene, 'a')
    await pair.caughtUp()
    pair.primary.kill()
    await pair.failOver()
    assert.equal((await scene.run('b', { ...LONG, whenHeld: 'wait' })).outcome, 'refused')
    assert.equal((await scene.renew('a', token, renewal)).outcome, 'renewed')
    assert.equal((await scene.release('a', token)).outcome, 'released')
    assert.equal((await scene.run('b', LONG)).outcome, 'recovering')
  })

  it('[P2] the barriers are gone with the old primary: they are retaken there, or told as lost', async () => {
    const { app, scene } = await start()
    const barrier = keep(await openBarrier({ ...optionsAt(pair.connection, app), retakeMs: 60_000 }))
    const lost: number[] = []
    barrier.onLost(({ slot }) => lost.push(slot))
    for (const slot of [0, 1]) assert.equal(await barrier.take({ key: KEY, slot }), 'taken')
    await scene.running('a', { ...LONG, barrier: 'session' })
    await pair.caughtUp()
    pair.primary.kill()
    // Before the address leads there somebody else has one of them.
    const early = new Client(pair.standby.connection)
    early.on('error', () => {})
    await early.connect()
    await early.query('select pg_promote()')
    const took = 'select pg_try_advisory_lock(beatlock.barrier_id_v1($1, $2, 1)) as taken'
    assert.deepEqual((await early.query(took, [app, KEY])).rows, [{ taken: true }])
    await pair.failOver()
    await until(() => lost.length > 0, { timeoutMs: 30_000, what: 'the barrier to be looked for' })
    assert.deepEqual(lost, [1])
    const rival = keep(await openBarrier(optionsAt(pair.standby.connection, app)))
    await until(async () => (await rival.take({ key: KEY, slot: 0 })) === 'refused', {
      what: 'the other to be held again',
    })
    await early.end()
  })

  it('[P3] while the old primary is cut off and goes on serving: the new one waits, and its tokens are higher', async () => {
    const { app, scene } = await start()
    const { token, renewal } = await granted(scene, 'a')
    await pair.caughtUp()
    await pair.cutStream()
    const behind = await sceneAt(pair.primary.connection, app)
    await pair.failOver()
    // Two primaries: what is asked of the old one it grants, and only its clock orders its tokens with the new one's.
    assert.equal((await behind.renew('a', token, renewal)).outcome, 'renewed')
    assert.equal((await scene.run('b', { ...LONG, whenHeld: 'wait' })).outcome, 'refused')
    await scene.clear({ running: 'drop' })
    assert.equal((await scene.run('b', LONG)).outcome, 'recovering')
    await endGrace()
    assert.ok((await granted(scene, 'b')).token > token)
  })

  it('[P2] [P24] with a synchronous standby an old primary that is cut off renews and grants nothing', async () => {
    const { app, scene } = await start('sync')
    const { token, renewal } = await granted(scene, 'a')
    const behind = await sceneAt(pair.primary.connection, app)
    await pair.cutStream()
    const said = (answer: Promise<{ outcome: string }>) =>
      answer.then(
        ({ outcome }) => outcome,
        (error: { code: string }) => error.code,
      )
    const [renewed, started] = await Promise.all([
      said(behind.renew('a', token, renewal)),
      said(behind.run('b', { ...LONG, slot: 1 })),
    ])
    // Asked for once more on a new connection, it finds the key with the commit that waits for ever.
    assert.ok(renewed === 'busy' || renewed === 'STORE_UNAVAILABLE', renewed)
    assert.equal(started, 'STORE_UNAVAILABLE')
    pair.primary.kill()
  })
})
