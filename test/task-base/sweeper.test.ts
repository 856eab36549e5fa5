import assert from 'node:assert/strict'
import { openMemory } from '../../adapters/memory/index.js'
import { createEmitter } from '../../src/lock/emit.js'
import { type LockKey, lockKey } from '../../src/lock/key.js'
import type { LockStore } from '../../src/lock/lock-store.js'
import type { AppEvents } from '../../src/task-base/event.js'
import { DIRECT_MARKER } from '../../src/task-base/message.js'
import { startSweeper } from '../../src/task-base/sweeper.js'
import { acquiring, TASK, termsOf } from '../contract/lock-store/scene.js'
import { ranMs } from '../support/machine-time.js'
import { until } from '../support/until.js'

const TIMES = 8

describe('the sweeper', function () {
  this.timeout(120_000)

  it('[P8] hands out at once what no answer carried', async () => {
    // By looking each second, so many in a row take as many seconds.
    assert.ok((await handOut('heard')) < 4_000)
  })

  it('[P8] hands out within its second what no answer carried, all notices lost', async () => {
    assert.ok((await handOut('lost')) < TIMES * 5_000)
  })

  /** Answers how long it took that so many turns that no answer carried were taken by a sweep, one after the other. */
  async function handOut(notices: 'heard' | 'lost'): Promise<number> {
    const { lockStore: store, engine } = openMemory({ app: 'sweeper' })
    if (notices === 'lost') store.listen = () => () => undefined
    const sweep = store.sweep.bind(store)
    let swept = 0
    store.sweep = async (options) => {
      const answer = await sweep(options)
      swept += answer.promotions.length
      return answer
    }
    const events = createEmitter<AppEvents>()
    const sweeper = startSweeper({ store, engine, now: Date.now, resultMs: 1_000, events })
    const startedNs = process.hrtime.bigint()
    for (let n = 1; n <= TIMES; n += 1) {
      await leaveATurn(store, lockKey(TASK, `[${n}]`))
      await until(() => swept === n, { what: 'the sweep' })
    }
    await sweeper.close()
    return ranMs(startedNs)
  }
})

/** Two holders end at once and two parked calls have their turns: the answer carries one of them. */
async function leaveATurn(store: LockStore, key: LockKey): Promise<void> {
  const over = { key, terms: termsOf({ limit: 2 }), message: DIRECT_MARKER }
  const whenHeld = { do: 'park', capacity: 9, keep: 'all' } as const
  for (const id of ['a', 'b', 'c', 'd']) await store.acquire(acquiring(id, { ...over, whenHeld }))
  await store.clear({ key, parked: false, running: 'keep', by: 'ada', publishLeaseMs: 60_000, resultMs: 1_000 })
}
