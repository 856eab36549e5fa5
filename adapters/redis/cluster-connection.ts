import { setTimeout as sleep } from 'node:timers/promises'
import { StoreUnavailable, UsageError } from '../../src/lock/error.js'
import type { RedisNode, RedisPlace } from '../../src/task-base/redis-place.js'
import { redisPlace } from '../../src/task-base/redis-source.js'
import { type Connection, NodeConnection, type RedisOptions, type Reply, type Request } from './connection.js'
import { asPublic } from './failure.js'
import { slotOf } from './slot.js'
import { addressOf, nodeAt, type SlotTable, slotTable } from './slot-table.js'

/** How long slots that move, or whose node is away, are waited for. */
const PATIENCE_MS = 2_000
const PAUSE_MS = 50
/** A request that is sent round and round is given up in the end. */
const MOST_TURNS = 100

/** A request on its way. */
interface Errand {
  readonly at: number
  readonly request: Request
  /** The address that it goes to. */
  readonly to: string
  /** That node only receives the slot yet, and is told that we know. */
  readonly asking: boolean
}

/**
 * A cluster: a connection a node, and each request to the node that has its slot; those of one call leave together, a
 * round trip a node. One that meets a move or a failover is asked again where the slot is then, which is safe since every
 * verb answers a repeat the same.
 */
export class ClusterConnection implements Connection {
  readonly server: string
  readonly #options: Omit<RedisOptions, 'app'>
  readonly #place: RedisPlace
  readonly #connections = new Map<string, Promise<NodeConnection>>()
  #table: SlotTable = { owners: [], nodes: new Map() }
  #reading: Promise<void> | undefined
  #closed = false

  constructor(options: Omit<RedisOptions, 'app'>) {
    this.server = options.server
    this.#options = options
    this.#place = redisPlace(options.url)
  }

  get nodes(): readonly RedisNode[] {
    const known = [...this.#table.nodes.values()]
    return known.length > 0 ? known : this.#place.nodes
  }

  /** @throws StoreUnavailable where none of the nodes answers; UsageError as of a single server, and for one that is no cluster */
  async open(): Promise<void> {
    try {
      await this.servers()
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async servers(): Promise<readonly NodeConnection[]> {
    await this.#readTable()
    return Promise.all(this.#primaries().map((address) => this.#node(address)))
  }

  readonly generation = 0

  async askOnce(): Promise<never> {
    throw new UsageError('a cluster has many connections: nothing is asked of one alone.')
  }

  async ask(request: Request): Promise<unknown> {
    return (await this.askAll([request]))[0]
  }

  async askAll(requests: readonly Request[]): Promise<unknown[]> {
    const deadline = performance.now() + PATIENCE_MS
    const replies: Reply[] = []
    let errands = requests.map((request, at): Errand => ({ at, request, to: this.#ownerOf(request), asking: false }))
    for (let turn = 1; errands.length > 0; turn += 1) {
      const answers = await this.#round(errands)
      for (const [n, { at }] of errands.entries()) replies[at] = answers[n] as Reply
      errands = turn < MOST_TURNS ? await this.#again(errands, { answers, deadline }) : []
    }
    return replies.map((reply) => {
      if (reply.status === 'fulfilled') return reply.value
      throw asPublic(this.server, reply.reason)
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    const opened = await Promise.allSettled(this.#connections.values())
    await Promise.all(opened.map((node) => node.status === 'fulfilled' && node.value.close()))
  }

  /** One trip to each node that has a part in it. */
  async #round(errands: readonly Errand[]): Promise<Reply[]> {
    const replies: Reply[] = []
    const groups = new Map<string, number[]>()
    for (const [n, { to }] of errands.entries()) groups.set(to, [...(groups.get(to) ?? []), n])
    await Promise.all(
      [...groups].map(async ([address, places]) => {
        const answers = await this.#settle(
          address,
          places.map((n) => errands[n] as Errand),
        )
        for (const [i, n] of places.entries()) replies[n] = answers[i] as Reply
      }),
    )
    return replies
  }

  async #settle(address: string, errands: readonly Errand[]): Promise<Reply[]> {
    const sent = errands.flatMap(({ request, asking }) => [...(asking ? [ASKING] : []), guarded(request)])
    try {
      const answers = await (await this.#node(address)).settle(sent)
      return answers.filter((_, n) => sent[n] !== ASKING)
    } catch (reason) {
      return errands.map(() => ({ status: 'rejected', reason }))
    }
  }

  /** Those that are to be asked again, and where. */
  async #again(
    errands: readonly Errand[],
    { answers, deadline }: { answers: readonly Reply[]; deadline: number },
  ): Promise<Errand[]> {
    const failed = errands.flatMap((errand, n) => {
      const turn = turnOf(answers[n] as Reply)
      return turn === undefined ? [] : [{ errand, turn }]
    })
    if (failed.some(({ turn }) => turn.how !== 'ask')) await this.#readTable().catch(() => undefined)
    if (failed.some(({ turn }) => turn.how === 'later')) await sleep(PAUSE_MS)
    const late = performance.now() > deadline
    return failed.flatMap(({ errand, turn }) => {
      const owner = this.#ownerOf(errand.request)
      if (turn.how !== 'later')
        return [{ ...errand, to: this.#reached(turn.address, errand), asking: turn.how === 'ask' }]
      return late && owner === errand.to ? [] : [{ ...errand, to: owner, asking: false }]
    })
  }

  /** The address of the node that has the request's slot; '' where none has. What is about no key may go to any. */
  #ownerOf(request: Request): string {
    const key = keyOf(request)
    return (key === undefined ? this.#primaries()[0] : this.#table.owners[slotOf(key)]) ?? ''
  }

  #primaries(): string[] {
    return [...new Set(this.#table.owners.filter((owner) => owner !== undefined))]
  }

  /** As a node told it; without a host it means its own. */
  #reached(told: string, { to }: Errand): string {
    const { host, port } = nodeAt(told)
    const node = { host: host || nodeAt(to).host, port }
    return addressOf(this.#place.natMap?.[addressOf(node)] ?? node)
  }

  #node(address: string): Promise<NodeConnection> {
    if (this.#closed) throw new StoreUnavailable(this.server, 'the store was closed')
    if (address === '') throw new StoreUnavailable(this.server, 'no node has this slot')
    const known = this.#connections.get(address)
    if (known) return known
    const url = { ...this.#place, form: 'single', nodes: [nodeAt(address)] } as const
    const node = new NodeConnection({ ...this.#options, url, server: `${this.server} (node ${address})` }, 'cluster')
    const opened = node.open().then(() => node)
    this.#connections.set(address, opened)
    opened.catch(() => this.#connections.delete(address))
    return opened
  }

  /** Whoever asks while one is on its way gets its answer. */
  #readTable(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  /** The nodes that have slots are connected to anyway; the others are asked if none of those answers. */
  async #read(): Promise<void> {
    const primaries = this.#primaries()
    const others = [...this.nodes, ...this.#place.nodes].map(addressOf).filter((each) => !primaries.includes(each))
    this.#table = await firstOf(primaries, (each) => this.#tableOf(each)).catch((error: unknown) => {
      if (others.length === 0) throw error
      return firstOf([...new Set(others)], (each) => this.#tableOf(each))
    })
    for (const [address, connection] of this.#connections) {
      if (this.#table.owners.includes(address)) continue
      this.#connections.delete(address)
      void connection.then((node) => node.close()).catch(() => undefined)
    }
  }

  async #tableOf(address: string): Promise<SlotTable> {
    const reply = await (await this.#node(address))
      .ask({ command: 'CLUSTER', args: ['SLOTS'] })
      .catch((error: Error) => {
        throw /cluster support disabled/.test(error.message)
          ? new UsageError(`${this.server} is no cluster; write redis:// for a single server.`)
          : error
      })
    const table = slotTable(reply, { asked: nodeAt(address), natMap: this.#place.natMap })
    if (table.nodes.size === 0) throw new StoreUnavailable(this.server, `${address} knows no node that has slots`)
    return table
  }
}

const ASKING: Request = { command: 'ASKING', args: [] }

/**
 * A script names one key more, that never is. While a slot moves, its keys are here and there, and a script that reads a
 * name it did not declare would take one that has left for one that is not: with a key missing, both nodes refuse the whole
 * script (TRYAGAIN) until the slot has arrived.
 */
function guarded(request: Request): Request {
  return 'script' in request ? { ...request, keys: [...request.keys, `${request.keys[0]}~`] } : request
}

function keyOf(request: Request): string | undefined {
  if ('script' in request) return request.keys[0]
  return request.at ?? (request.args[0]?.startsWith('{') ? request.args[0] : undefined)
}

type Turn = { readonly how: 'moved' | 'ask'; readonly address: string } | { readonly how: 'later' }

/** Whether a failed request is to be asked again; undefined: it was answered, or will never be. */
function turnOf(reply: Reply): Turn | undefined {
  if (reply.status === 'fulfilled') return undefined
  const { reason } = reply
  if (reason instanceof StoreUnavailable) return { how: 'later' }
  const [word = '', , address = ''] = reason instanceof Error ? reason.message.split(' ') : []
  if (word === 'MOVED' || word === 'ASK') return { how: word === 'MOVED' ? 'moved' : 'ask', address }
  return /^(TRYAGAIN|CLUSTERDOWN|LOADING|READONLY|MASTERDOWN)$/.test(word) ? { how: 'later' } : undefined
}

/** The first that succeeds; where none does, what the caller can mend comes before what he must wait for. */
async function firstOf<T>(addresses: readonly string[], ask: (address: string) => Promise<T>): Promise<T> {
  try {
    return await Promise.any(addresses.map(ask))
  } catch (all) {
    const { errors } = all as AggregateError
    throw errors.find((each) => each instanceof UsageError) ?? errors[0] ?? new Error('no node is known')
  }
}
