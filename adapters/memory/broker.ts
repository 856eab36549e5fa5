import { MemoryQueue } from './queue.js'

/** One app's queues, and who is to be told when a message may be taken. */
export interface Broker {
  readonly queues: Map<string, MemoryQueue>
  readonly listeners: Set<() => void>
}

export function newBroker(): Broker {
  return { queues: new Map(), listeners: new Set() }
}

export function queueOf(broker: Broker, name: string): MemoryQueue {
  const known = broker.queues.get(name)
  if (known) return known
  const fresh = new MemoryQueue()
  broker.queues.set(name, fresh)
  return fresh
}

export function tellAll(broker: Broker): void {
  for (const listener of broker.listeners) listener()
}
