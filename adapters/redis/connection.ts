import type { Redis } from 'ioredis'
import { StoreUnavailable } from '../../src/lock/error.js'
import type { WaitReplicas } from '../../src/lock/wait-replicas.js'
import type { RedisNode, RedisPlace } from '../../src/task-base/redis-place.js'
import type { ServerSource } from '../../src/task-base/redis-settings.js'
import { redisPlace } from '../../src/task-base/redis-source.js'
import { hearErrors } from '../../src/task-base/redis-trouble.js'
import { clientOf } from './client.js'
import {
  asOpening,
  asPublic,
  isCredentials,
  isMissingScript,
  isReadOnly,
  isReply,
  isTimeout,
  reasonOf,
} from './failure.js'
import type { Script } from './script.js'
import { checkServer } from './server-check.js'

/** How an adapter is opened; survives a structured clone. */
export interface RedisOptions {
  readonly app: string
  readonly url: ServerSource
  /** Host and port as shown in errors, without credentials. */
  readonly server: string
  /** How long one reply is waited for, in ms. Default 3000: below the publish lease. */
  readonly commandTimeoutMs?: number
  /** Grants and renewals count once so many replicas have them. Default: at once. */
  readonly waitReplicas?: WaitReplicas
}

/** A script's run or a plain command; in a cluster it goes to the node of its first key, or of `at`. */
export type Request =
  | { readonly script: Script; readonly keys: readonly string[]; readonly args: readonly string[] }
  | { readonly command: string; readonly args: readonly string[]; readonly at?: string }

export type Reply = PromiseSettledResult<unknown>

/** One server, the primary behind sentinels, or a cluster. */
export interface Connection {
  readonly server: string
  /** Where it is, as far as is known. */
  readonly nodes: readonly RedisNode[]
  ask(request: Request): Promise<unknown>
  /** One round trip for all, to each server that has a part in it; answers in the order asked. @throws StoreUnavailable */
  askAll(requests: readonly Request[]): Promise<unknown[]>
  /** Which connection stands, counted; another number is another connection, maybe to another server. Not of a cluster. */
  readonly generation: number
  /** As `askAll`, but on one connection and not again: for what means something only there. Not of a cluster. @throws StoreUnavailable */
  askOnce(requests: readonly Request[]): Promise<unknown[]>
  /** Each server that has keys, for itself. */
  servers(): Promise<readonly Pick<Connection, 'ask'>[]>
  close(): Promise<void>
}

/** How long a lost connection may take to come back, and a repeated request to be answered, before both are given up. */
const PATIENCE_MS = 2_000
const COMMAND_TIMEOUT_MS = 3_000

/**
 * One connection to one server. Requests of one call leave together: one round trip. A request whose reply was lost is
 * repeated once on a new connection, which is safe since every verb answers a repeat the same. Nothing queues while
 * the server is away: a call waits up to 2 s for the connection, then it is StoreUnavailable.
 */
export class NodeConnection implements Connection {
  readonly server: string
  readonly #redis: Redis
  readonly #place: RedisPlace
  readonly #timeoutMs: number
  /** What it is a node of. */
  readonly #of: 'cluster' | 'none'
  #trouble: Error | undefined
  #closed = false
  /** Counts connections, so that silence on an old one does not cost a newer one its life. */
  #generation = 0

  constructor(
    { url, server, commandTimeoutMs = COMMAND_TIMEOUT_MS }: Omit<RedisOptions, 'app'>,
    of: 'cluster' | 'none' = 'none',
  ) {
    this.#of = of
    this.server = server
    this.#timeoutMs = commandTimeoutMs
    this.#place = redisPlace(url)
    this.#redis = clientOf(this.#place, commandTimeoutMs)
    hearErrors(this.#redis, (error) => {
      this.#trouble = error
    })
    this.#redis.on('ready', () => {
      this.#generation += 1
      this.#trouble = undefined
    })
  }

  /** @throws StoreUnavailable; UsageError where the server refuses the URL's credentials or cannot keep locks. */
  async open(): Promise<void> {
    try {
      await this.#connect()
      await this.#ready()
      await checkServer(this, { db: this.#place.db, of: this.#of })
    } catch (error) {
      await this.close()
      throw asOpening(this.server, this.#trouble ?? error, this.#place)
    }
  }

  /** The first attempt alone: a server that is not there is said at once; who wants to wait opens again. */
  async #connect(): Promise<void> {
    const connected = this.#redis.connect()
    if (this.#place.form !== 'sentinel') return connected
    // It goes on asking sentinels without an end.
    connected.catch(() => undefined)
    await this.#event(['ready', 'end', 'error'], PATIENCE_MS)
    if (!this.#stands()) throw this.#trouble ?? new StoreUnavailable(this.server, reasonOf(undefined))
  }

  /** As `askAll`, without its lists: what nearly every request is. */
  async ask(request: Request): Promise<unknown> {
    if (!this.#stands()) return (await this.askAll([request]))[0]
    const generation = this.#generation
    try {
      return await this.#call(request)
    } catch (reason) {
      return this.#values(await this.#mended([request], { replies: [{ status: 'rejected', reason }], generation }))[0]
    }
  }

  get nodes(): readonly RedisNode[] {
    return this.#place.nodes
  }

  async servers(): Promise<readonly this[]> {
    return [this]
  }

  async askAll(requests: readonly Request[]): Promise<unknown[]> {
    return this.#values(await this.settle(requests))
  }

  /** The same, telling of each what became of it. @throws StoreUnavailable where nothing could be asked */
  async settle(requests: readonly Request[]): Promise<Reply[]> {
    try {
      await this.#ready()
    } catch (error) {
      throw asPublic(this.server, error)
    }
    const generation = this.#generation
    return this.#mended(requests, { replies: await this.#send(requests), generation })
  }

  /** Which connection stands, counted; another number is another connection, maybe to another server. */
  get generation(): number {
    return this.#generation
  }

  /** As `askAll`, but on one connection and not again: for what means something only there. @throws StoreUnavailable */
  async askOnce(requests: readonly Request[]): Promise<unknown[]> {
    try {
      await this.#ready()
      return this.#values(await this.#send(requests))
    } catch (error) {
      throw asPublic(this.server, error)
    }
  }

  /** No timer and no socket is left once it resolves. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const waits = this.#redis.status === 'reconnecting' || this.#redis.status === 'wait'
    // A client between two attempts has nothing to end and says so by saying nothing.
    const ended = waits ? undefined : this.#event(['end'], PATIENCE_MS)
    this.#redis.disconnect()
    await ended
  }

  /** The answers of all, once what failed was asked again. */
  async #mended(requests: readonly Request[], { replies, generation }: { replies: Reply[]; generation: number }) {
    try {
      await this.#withScripts(requests, replies)
      const lost = placesOf(replies, (error) => !isReply(error) || this.#isDemoted(error))
      if (lost.length > 0) await this.#repeat(requests, { replies, lost, generation })
      return replies
    } catch (error) {
      throw asPublic(this.server, error)
    }
  }

  #values(replies: readonly Reply[]): unknown[] {
    return replies.map((reply) => {
      if (reply.status === 'rejected') throw asPublic(this.server, reply.reason)
      return reply.value
    })
  }

  async #repeat(requests: readonly Request[], first: { replies: Reply[]; lost: number[]; generation: number }) {
    const { replies, lost, generation } = first
    // Silence may be a dead connection that nobody closed, and a primary may be one no more: only a new one can tell.
    const deaf = lost.some((at) => isTimeout(errorOf(replies[at])) || isReply(errorOf(replies[at])))
    if (deaf && generation === this.#generation && this.#redis.status === 'ready') this.#redis.disconnect(true)
    await this.#ready(generation)
    const repeated = pick(requests, lost)
    const sent = this.#send(repeated).then((answers) => this.#withScripts(repeated, answers))
    const again = await within(sent, Math.min(PATIENCE_MS, this.#timeoutMs))
    for (const [n, at] of lost.entries()) replies[at] = again?.[n] ?? (replies[at] as Reply)
  }

  /** Behind sentinels there is another primary then. */
  #isDemoted(error: unknown): boolean {
    return this.#place.form === 'sentinel' && isReadOnly(error)
  }

  #send(requests: readonly Request[]): Promise<Reply[]> {
    return Promise.allSettled(requests.map((request) => this.#call(request)))
  }

  /** Scripts that the server does not know (restart, SCRIPT FLUSH) are loaded and run again. */
  async #withScripts(requests: readonly Request[], replies: Reply[]): Promise<Reply[]> {
    const missing = placesOf(replies, isMissingScript)
    if (missing.length === 0) return replies
    const again = pick(requests, missing)
    const texts = [...new Set(again.flatMap((request) => ('script' in request ? [request.script.text] : [])))]
    const loads = texts.map((text): Request => ({ command: 'SCRIPT', args: ['LOAD', text] }))
    const second = await this.#send([...loads, ...again])
    for (const [n, at] of missing.entries()) replies[at] = second[loads.length + n] as Reply
    return replies
  }

  #call(request: Request): Promise<unknown> {
    this.#gather()
    if ('command' in request) return this.#redis.call(request.command, ...request.args)
    const { script, keys, args } = request
    return this.#redis.call('EVALSHA', script.sha, String(keys.length), ...keys, ...args)
  }

  /**
   * What is asked for in one turn of the loop leaves in one write, also where several sockets were heard in it: each
   * write costs more than all else that is done here.
   */
  #gather(): void {
    const { stream } = this.#redis
    if (stream.writableCorked > 0) return
    stream.cork()
    setImmediate(() => stream.uncork())
  }

  #stands(lost = 0): boolean {
    return this.#redis.status === 'ready' && this.#generation > lost && !this.#closed
  }

  /** Waits, bounded, until a connection stands that is newer than `lost`: the client calls a dying one ready still. */
  async #ready(lost = 0): Promise<void> {
    if (this.#stands(lost)) return
    if (this.#closed) throw new StoreUnavailable(this.server, 'the store was closed')
    await this.#event(['ready', 'end', 'credentials'], PATIENCE_MS)
    if (this.#stands(lost)) return
    throw this.#trouble ?? new StoreUnavailable(this.server, reasonOf(undefined))
  }

  /** The first of these events, or nothing for `ms`. Leaves no listener and no timer. */
  #event(names: readonly ('ready' | 'end' | 'credentials' | 'error')[], ms: number): Promise<void> {
    return new Promise((resolve) => {
      const onError = (error: Error): void => {
        if (names.includes('error') || (names.includes('credentials') && isCredentials(error))) done()
      }
      const plain = names.filter((name) => name === 'ready' || name === 'end')
      const timer = setTimeout(done, ms)
      const redis = this.#redis
      for (const name of plain) redis.on(name, done)
      redis.on('error', onError)
      function done(): void {
        clearTimeout(timer)
        for (const name of plain) redis.off(name, done)
        redis.off('error', onError)
        resolve()
      }
    })
  }
}

function placesOf(replies: readonly Reply[], matches: (error: unknown) => boolean): number[] {
  return replies.flatMap((reply, at) => (reply.status === 'rejected' && matches(reply.reason) ? [at] : []))
}

function pick(requests: readonly Request[], places: readonly number[]): Request[] {
  return places.map((at) => requests[at] as Request)
}

function errorOf(reply: Reply | undefined): unknown {
  return reply?.status === 'rejected' ? reply.reason : undefined
}

/** The promise's value, or undefined if that takes longer than `ms`. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms)
  })
  try {
    return await Promise.race([promise, over])
  } finally {
    clearTimeout(timer)
  }
}
