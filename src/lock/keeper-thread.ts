import { parentPort, workerData } from 'node:worker_threads'
import { type FedKeeper, startFedKeeper } from './fed-keeper.js'
import { asThreadError, type KeeperNews, type KeeperOrder, type KeeperThreadData } from './keeper-line.js'
import type { LockStore } from './lock-store.js'

/** Entry of the keeper thread: a connection and an event loop that no task, log line or guard can hold up. */
const port = parentPort
if (!port) throw new Error('keeper-thread is the entry of a thread')

const { source, ...data } = workerData as KeeperThreadData
const tell = (news: KeeperNews) => port.postMessage(news)

try {
  const adapter = (await import(source.module)) as { openLockStore(options: unknown): LockStore | Promise<LockStore> }
  const store = await adapter.openLockStore(source.options)
  const keeper = await startFedKeeper({
    ...data,
    store,
    lost: (loss) => tell({ news: 'lost', loss }),
    trouble: (error) => tell({ news: 'trouble', error: asThreadError(error) }),
  })
  port.on('message', (order: KeeperOrder) => obey(order, keeper, store))
  tell({ news: 'ready' })
} catch (error) {
  tell({ news: 'failed', error: asThreadError(error) })
  port.close()
}

function obey(order: KeeperOrder, keeper: FedKeeper, store: LockStore): void {
  if (order.do === 'hold') keeper.hold(order.lease, order.cell)
  else if (order.do === 'drop') keeper.drop(order.runId)
  else if (order.do === 'acked') keeper.acked(order.ref)
  else if (order.do === 'worker') keeper.updateWorker(order.row)
  else if (order.do === 'renew') keeper.renewNow()
  else void closeAll(keeper, store)
}

async function closeAll(keeper: FedKeeper, store: LockStore): Promise<void> {
  try {
    await keeper.close()
    await store.close()
  } catch (error) {
    tell({ news: 'trouble', error: asThreadError(error) })
  }
  port?.close()
}
