import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { StoreUnavailable, UsageError } from '../../src/lock/error.js'
import { checkNode, NO_CONNECTION, nodeOf, type QuorumNode, refusesCredentials, whyOf } from './node.js'

/** A connection that let so many commands pass without a reply is given up for a new one. */
const MUTE = 3
/** At opening a moment's absence is no reason to give up. */
const TRIES = 3
const BETWEEN_TRIES_MS = 250

/** The nodes of a quorum, one connection to each; tells, once, when one is gone. A class, since it has connections. */
export class Nodes {
  readonly #nodes: readonly QuorumNode[]
  readonly #trouble: (error: Error) => void
  readonly #mute = new Map<Redis, number>()
  #opened = false

  constructor(urls: readonly string[], trouble: (error: Error) => void) {
    this.#nodes = urls.map((url) => nodeOf(url))
    this.#trouble = trouble
    for (const node of this.#nodes) this.#watch(node)
  }

  get clients(): readonly Redis[] {
    return this.#nodes.map(({ client }) => client)
  }

  get quorum(): number {
    return Math.floor(this.#nodes.length / 2) + 1
  }

  /** For people: `the quorum of 10.0.0.1:6379, 10.0.0.2:6379, 10.0.0.3:6379`. */
  get shown(): string {
    return `the quorum of ${this.#nodes.map(({ server }) => server).join(', ')}`
  }

  /** @throws UsageError for a node that can never vote; StoreUnavailable where fewer than a quorum answer. */
  async open(): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      await this.#connectMissing()
      if (this.#nodes.filter(({ why }) => why === undefined).length >= this.quorum) break
      if (tries === TRIES) throw this.unavailable()
      await sleep(BETWEEN_TRIES_MS)
    }
    this.#opened = true
    for (const node of this.#nodes) if (node.why !== undefined) this.#tell(node)
  }

  /** What is said of too few answers. `heard`: why those did not vote that were asked just now. */
  unavailable(heard: ReadonlyMap<Redis, Error> = new Map()): StoreUnavailable {
    const silent = this.#nodes.flatMap(({ client, server, why }) => {
      const said = heard.has(client) ? whyOf(heard.get(client)) : why
      return said === undefined ? [] : [`${server}: ${said}`]
    })
    const count = `${silent.length} of ${this.#nodes.length} nodes do not vote`
    return new StoreUnavailable(this.shown, `${count} (${silent.join('; ')})`, [...heard.values()][0])
  }

  /** Who answered and who did not: silence may be a dead connection that nobody closed. */
  note({ heard, silent }: { heard: readonly Redis[]; silent: ReadonlyMap<Redis, Error> }): void {
    for (const client of heard) this.#mute.delete(client)
    for (const [client, error] of silent) {
      if (error.message !== 'Command timed out') continue
      const times = (this.#mute.get(client) ?? 0) + 1
      this.#mute.set(client, times % MUTE)
      if (times === MUTE && client.status === 'ready') client.disconnect(true)
    }
  }

  close(): void {
    this.#opened = false
    for (const node of this.#nodes) {
      node.closed = true
      node.client.disconnect()
    }
  }

  #watch(node: QuorumNode): void {
    const { client } = node
    client.on('error', (error: Error) => {
      node.why = whyOf(error)
    })
    client.on('close', () => {
      const before = node.why
      node.why ??= NO_CONNECTION
      if (before === undefined) this.#tell(node)
    })
    client.on('ready', () => {
      if (node.closed) client.disconnect()
      if (this.#opened) void this.#admit(node).catch((error: Error) => this.#turnAway(node, error))
    })
  }

  async #connectMissing(): Promise<void> {
    const missing = this.#nodes.filter(({ why }) => why !== undefined)
    const answers = await Promise.allSettled(missing.map((node) => this.#connect(node)))
    for (const answer of answers) {
      if (answer.status === 'rejected' && answer.reason instanceof UsageError) throw answer.reason
    }
  }

  async #connect(node: QuorumNode): Promise<void> {
    try {
      if (node.client.status !== 'ready') await node.client.connect()
      await this.#admit(node)
    } catch (error) {
      if (error instanceof UsageError) throw error
      // What it said of the connection tells more than that there is none.
      if (node.why === undefined || node.why === NO_CONNECTION) node.why = whyOf(error)
      if (refusesCredentials(node)) throw new UsageError(`${node.server} refuses the URL's user name or password.`)
    }
  }

  async #admit(node: QuorumNode): Promise<void> {
    const again = this.#opened
    await checkNode(node)
    const twin = this.#nodes.find((each) => each !== node && each.runId !== undefined && each.runId === node.runId)
    if (twin)
      throw new UsageError(
        `${twin.server} and ${node.server} are one server by two names: its vote would count twice; name independent servers.`,
      )
    node.why = undefined
    if (again) this.#trouble(new Error(`a node of the quorum votes again: ${node.server}; ${this.#count()}`))
  }

  /** It may not vote, or could not be asked whether it may: the next connection asks again. */
  #turnAway(node: QuorumNode, error: Error): void {
    node.why = whyOf(error)
    if (error instanceof UsageError) {
      node.client.disconnect()
      this.#trouble(error)
    } else if (!node.closed) node.client.disconnect(true)
  }

  #tell({ server }: QuorumNode): void {
    if (this.#opened) this.#trouble(new Error(`a node of the quorum does not vote: ${server}; ${this.#count()}`))
  }

  #count(): string {
    const up = this.#nodes.filter(({ why }) => why === undefined).length
    return `${up} of ${this.#nodes.length} do, ${this.quorum} must`
  }
}
