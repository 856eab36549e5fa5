import type { RedisNat, RedisNode } from '../../src/task-base/redis-place.js'
import { fieldsOf, numberOf } from './reply.js'

/** Which node has which slots, as one of them told. Addresses are `host:port`, as they are reached from here. */
export interface SlotTable {
  /** By slot; undefined where none has it. */
  readonly owners: (string | undefined)[]
  /** Of all nodes, replicas too. */
  readonly nodes: ReadonlyMap<string, RedisNode>
}

/** Reads the answer to CLUSTER SLOTS; a node that does not know its own host is reached by the one that was asked. */
export function slotTable(
  reply: unknown,
  { asked, natMap }: { asked: RedisNode; natMap: RedisNat | undefined },
): SlotTable {
  const owners: (string | undefined)[] = []
  const nodes = new Map<string, RedisNode>()
  for (const range of fieldsOf(reply)) {
    const [from, to, ...serving] = fieldsOf(range)
    const addresses = serving.map((each) => {
      const [host, port] = fieldsOf(each)
      const told = { host: host ? String(host) : asked.host, port: numberOf(port) }
      const node = natMap?.[addressOf(told)] ?? told
      nodes.set(addressOf(node), node)
      return addressOf(node)
    })
    for (let slot = numberOf(from); slot <= numberOf(to); slot += 1) owners[slot] = addresses[0]
  }
  return { owners, nodes }
}

export function addressOf({ host, port }: RedisNode): string {
  return `${host}:${port}`
}

/** `host:port`, where the host may be an IPv6 address without brackets. */
export function nodeAt(address: string): RedisNode {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
}
