import assert from 'node:assert/strict'
import { openLockStore as openPostgres } from '../../adapters/postgres/index.js'
import { openLockStore as openRedis } from '../../adapters/redis/index.js'
import { bury, emptyBox, lettersOf, remove } from '../../src/lock/dead-letter.js'
import type { LockStore } from '../../src/lock/lock-store.js'
import { burialOf } from '../contract/lock-store/dead-letter.js'
import { startPostgres } from '../support/postgres-server.js'
import { randomFrom } from '../support/random.js'
import { startRedis } from '../support/redis-server.js'
import { freshOptions } from './postgres-bench.js'

const STEPS = 400
const IDS = ['a', 'b', 'c', 'd']

interface Opened {
  readonly store: LockStore
  stop(): Promise<void>
}

const PLACES: Record<string, () => Promise<Opened>> = {
  async Redis() {
    const server = await startRedis()
    return { store: await openRedis({ app: 'shop', url: server.url, server: 'here' }), stop: () => server.stop() }
  },
  async Postgres() {
    const server = await startPostgres()
    return { store: await openPostgres(freshOptions(server)), stop: () => server.remove() }
  },
}

for (const [name, open] of Object.entries(PLACES)) {
  it(`the dead letters of ${name} and of the pure model stay the same, over hundreds of random steps`, async () => {
    const { store, stop } = await open()
    try {
      await compare(store)
    } finally {
      await store.close()
      await stop()
    }
  }).timeout(60_000)
}

async function compare(store: LockStore): Promise<void> {
  const box = emptyBox()
  const random = randomFrom(7)
  for (let step = 0; step < STEPS; step += 1) {
    const id = random.of(IDS)
    const round = random.below(4)
    const where = `step ${step}, ${id}/${round}`
    if (random.below(3) > 0) {
      const burial = burialOf(id, { round, message: `${id} of step ${step}` })
      const { kept, now } = await store.dead.bury(burial)
      assert.equal(kept, bury(box, burial, now), `${where}: bury`)
    } else {
      const { removed, now } = await store.dead.remove(id, round)
      assert.equal(removed, remove(box, id, round, now), `${where}: remove`)
    }
    const told = await Promise.all(IDS.map((each) => store.dead.show(each)))
    const letters = lettersOf(box, Date.now())
    const expected = IDS.map((each) => letters.find(({ messageId }) => messageId === each))
    assert.deepEqual(
      told.map((each) => [each?.round, each?.at, each?.message]),
      expected.map((each) => [each?.round, each?.at, each?.message]),
      where,
    )
    const listed = await store.dead.list({ allApps: false })
    assert.deepEqual(
      listed.map((each) => each.messageId),
      letters.map((each) => each.messageId),
      where,
    )
  }
}
