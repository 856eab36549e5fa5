import { openLockStore } from '../adapters/memory/lock-store.js'
import { memoryServer } from '../adapters/memory/server.js'
import { startKeeper } from '../src/lock/keeper.js'
import { PreforkPool } from '../src/worker/prefork-pool.js'
import { figure, type Line } from './line.js'
import { median, times } from './sample.js'

const RUNNER = new URL('./fixture/runner.js', import.meta.url).href
const BODIES = 300

/** There and back: from the parent to a child that does nothing, and its answer. */
export async function preforkHop(): Promise<Line> {
  const store = openLockStore({ server: memoryServer(), app: 'bench' })
  const keeper = await startKeeper({ locks: { store }, leaseMs: 5_000, worker: null, onTrouble: () => {} })
  const pool = new PreforkPool({
    size: 1,
    feed: keeper.feed,
    runner: RUNNER,
    spec: {},
    onAsk: async () => null,
    onTrouble: (error) => console.error(error.message),
  })
  const message = JSON.stringify({ v: 1, task: 'nothing', args: [] })
  const limits = { space: { app: 'hops' }, deadlineNs: null, softLimitMs: null, hardLimitMs: null }
  let turn = 0
  const hop = () => pool.run({ runId: `hop-${++turn}`, message, token: null, deliveries: 1, retries: 0, ...limits })
  try {
    await pool.start()
    const many = async () => {
      for (let n = 0; n < BODIES; n += 1) await hop()
    }
    const [, ...taken] = await times(many, 10)
    return figure('prefork hop, there and back', `${((median(taken) / BODIES) * 1_000).toFixed(0)} µs`, '≤ 100 µs')
  } finally {
    await pool.close('now')
    await keeper.close()
  }
}
