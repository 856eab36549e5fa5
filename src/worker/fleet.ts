import type { RunBarrier } from '../lock/barrier.js'
import type { App } from '../task-base/app.js'
import type { Connection } from '../task-base/connection.js'
import type { Consumer } from '../task-base/engine.js'
import type { Capacity } from './capacity.js'
import { followCommands } from './follow-commands.js'
import { followPeers } from './follow-peers.js'
import type { LookOut } from './look-out.js'
import { obeyOrders, type Queues, type Steering } from './obey.js'
import type { Pool } from './pool.js'
import type { OwnRow } from './row.js'
import type { UnderWay } from './under-way.js'

export interface FleetMember {
  readonly app: App
  readonly name: string
  readonly kind: 'prefork' | 'solo'
  readonly steering: Steering | undefined
  readonly connection: Connection
  readonly barrier: RunBarrier | undefined
  readonly pool: Pool
  readonly consumer: Consumer
  readonly capacity: Capacity
  readonly row: OwnRow
  readonly underWay: UnderWay
  /** Aborted once the worker stops: it still answers questions. */
  readonly stopping: AbortSignal
  /** When it came, by the store's clock. */
  readonly since: number
}

/** From now on a worker does what it is asked, and tells when others come and go. */
export function joinFleet(member: FleetMember): LookOut {
  const { app, name, kind, steering, connection, barrier, pool, capacity, row, underWay, stopping, since } = member
  const trouble = (error: Error): void => app.events.emit('trouble', { where: 'control', error })
  const serves = () => ({ queues: row.now.queues, concurrency: capacity.size })
  const inspected = {
    app,
    connection,
    pool,
    underWay,
    kind,
    barrier: barrier?.kind ?? 'none',
    startedAt: since,
    serves,
  }
  const obey = obeyOrders({
    inspected,
    worker: name,
    capacity,
    queues: queuesOf(member),
    steering,
    events: app.events,
    stopping: () => stopping.aborted,
  })
  const { store } = connection
  const commands = followCommands({ store, worker: name, since, obey, trouble })
  const peers = followPeers({ store, worker: name, events: app.events, trouble })
  return {
    async close() {
      await Promise.all([commands.close(), peers.close()])
    },
  }
}

/** The consumer first: what others read is never more than what is done. */
function queuesOf({ consumer, row }: Pick<FleetMember, 'consumer' | 'row'>): Queues {
  const served = (queues: readonly string[]): readonly string[] => {
    row.change({ queues })
    return queues
  }
  return {
    async add(queue: string) {
      await consumer.addQueue(queue)
      return served([...new Set([...row.now.queues, queue])])
    },
    async cancel(queue: string) {
      const before = row.now.queues
      await consumer.cancelQueue(queue)
      return { queues: served(row.now.queues.filter((each) => each !== queue)), served: before.includes(queue) }
    },
  }
}
