import { parentPort, workerData } from 'node:worker_threads'
import type { Barrier } from './barrier.js'
import { openBarrierOf } from './barrier-source.js'
import { type FedKeeper, startFedKeeper } from './fed-keeper.js'
import { asThreadError, type KeeperNews, type KeeperOrder, type KeeperThreadData } from './keeper-line.js'
import { LeaseBoard } from './lease-board.js'
import type { LockStore } from './lock-store.js'

/** Entry of the keeper thread: a connection and an event loop that no task, log line or guard can hold up. */
const port = parentPort
if (!port) throw new Error('keeper-thread is the entry of a thread')

/** A lease is renewed each third of its time: this soon is early enough to hear of it. */
const LOOK_MS = 50

const { source, barrier: barrierSource, board: memory, ...data } = workerData as KeeperThreadData
const board = new LeaseBoard(memory)
let timer: NodeJS.Timeout | undefined
const tell = (news: KeeperNews) => port.postMessage(news)
const trouble = (error: Error) => tell({ news: 'trouble', error: asThreadError(error) })

let closing = false
let store: LockStore | undefined
let barrier: Barrier | undefined
try {
  const adapter = (await import(source.module)) as { openLockStore(options: unknown): LockStore | Promise<LockStore> }
  store = await adapter.openLockStore(source.options)
  barrier = barrierSource && (await openBarrierOf(barrierSource, { leaseMs: data.leaseMs, trouble }))
  const keeper = await startFedKeeper({
    ...data,
    store,
    barrier,
    lost: (loss) => tell({ news: 'lost', loss }),
    trouble,
  })
  const parts = { keeper, store }
  port.on('message', (order: KeeperOrder) => obey(order, parts))
  tell({ news: 'ready' })
} catch (error) {
  tell({ news: 'failed', error: asThreadError(error) })
  // What is left open would keep the thread, and its process, alive.
  await Promise.allSettled([store?.close(), barrier?.close()])
  port.close()
}

interface Parts {
  readonly keeper: FedKeeper
  readonly store: LockStore
}

function obey(order: KeeperOrder, { keeper, store }: Parts): void {
  if (closing) return
  if (order.do === 'seat') return void seat(order, keeper)
  // Whatever is to be done is to be done for what is held now.
  look(keeper)
  if (order.do === 'hold') keeper.hold(order.lease, (deadlineNs) => Atomics.store(order.cell, 0, deadlineNs))
  else if (order.do === 'drop') keeper.drop(order.runId)
  else if (order.do === 'acked') keeper.acked(order.refs)
  else if (order.do === 'worker') keeper.updateWorker(order.row)
  else if (order.do === 'renew') keeper.renewNow()
  else if (order.do === 'close') void closeAll({ keeper, store })
}

async function seat(
  { ask, verb, seat }: Extract<KeeperOrder, { do: 'seat' }>,
  { barrier }: Pick<FedKeeper, 'barrier'>,
): Promise<void> {
  try {
    const taken = verb === 'take' ? await barrier?.take(seat) : await barrier?.drop(seat)
    tell({ news: 'seated', ask, answer: taken ?? 'dropped' })
  } catch (error) {
    tell({ news: 'unseated', ask, error: asThreadError(error) })
  }
}

/** Again and again while leases come and go, or are there; else it sleeps until it is told to look. */
function look(keeper: FedKeeper): void {
  clearTimeout(timer)
  board.awake = true
  if (!lookOnce(keeper)) {
    board.awake = false
    if (!lookOnce(keeper)) return
    board.awake = true
  }
  timer = setTimeout(() => look(keeper), LOOK_MS)
}

/** Whether another look is soon worth it: each that is asked for wakes this thread at the cost of the main one. */
function lookOnce(keeper: FedKeeper): boolean {
  const { gone, come, held, stirred } = board.look()
  for (const runId of gone) keeper.drop(runId)
  for (const { lease, extend } of come) keeper.hold(lease, extend)
  return stirred || held > 0
}

async function closeAll({ keeper, store }: Parts): Promise<void> {
  closing = true
  clearTimeout(timer)
  try {
    await keeper.close()
    await store.close()
  } catch (error) {
    trouble(error as Error)
  }
  port?.close()
}
