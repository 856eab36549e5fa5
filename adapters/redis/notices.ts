import type { Redis } from 'ioredis'
import { Listeners, type Topic } from '../../src/lock/notice.js'
import type { RedisNode } from '../../src/task-base/redis-place.js'
import { redisPlace } from '../../src/task-base/redis-source.js'
import { clientOf } from './client.js'
import type { RedisOptions } from './connection.js'
import { isReply } from './failure.js'

const COMMAND_TIMEOUT_MS = 3_000
const GOODBYE_MS = 2_000

/**
 * What happened to this app's locks, by pub/sub: a channel a topic, so that nobody hears what he does not wait for. One
 * connection, opened by the first who listens; it comes back by itself, and then everyone looks once.
 */
export class Notices {
  readonly #options: RedisOptions
  readonly #nodes: () => readonly RedisNode[]
  readonly #listeners = new Listeners()
  /** What the present connection is subscribed to. */
  readonly #heard = new Set<Topic>()
  #redis: Redis | undefined
  #closed = false

  /** `nodes`: of a cluster, where each tells what happens on all. */
  constructor(options: RedisOptions, nodes: () => readonly RedisNode[]) {
    this.#options = options
    this.#nodes = nodes
  }

  listen(topic: Topic, look: () => void): () => void {
    if (this.#closed) return () => undefined
    const remove = this.#listeners.add(topic, look)
    if (this.#heard.has(topic)) queueMicrotask(look)
    else if (this.#redis?.status === 'ready') void this.#subscribe([topic])
    this.#redis ??= this.#open()
    return () => {
      if (remove()) this.#unsubscribe(topic)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const redis = this.#redis
    if (!redis || redis.status === 'end') return
    // A client between two attempts has nothing to end and says so by saying nothing.
    const ended = redis.status === 'reconnecting' || redis.status === 'wait' ? undefined : endOf(redis)
    redis.disconnect()
    await ended
  }

  #open(): Redis {
    const place = redisPlace(this.#options.url)
    const clustered = place.form === 'cluster'
    const at = clustered ? ({ ...place, form: 'single', nodes: [this.#anyNode()] } as const) : place
    const redis = clientOf(at, COMMAND_TIMEOUT_MS)
    // The next one may live where this one does not: the client looks here when it connects anew.
    if (clustered) redis.on('close', () => Object.assign(redis.options, this.#anyNode()))
    // Told by the connection that holds the locks; this one only comes back.
    redis.on('error', () => undefined)
    redis.on('ready', () => {
      this.#heard.clear()
      void this.#subscribe(this.#listeners.topics())
    })
    redis.on('message', (channel: string) => this.#listeners.tell(channel.slice(this.#channel('').length) as Topic))
    redis.connect().catch(() => undefined)
    return redis
  }

  #anyNode(): RedisNode {
    const nodes = this.#nodes()
    return nodes[Math.floor(Math.random() * nodes.length)] as RedisNode
  }

  #channel(topic: string): string {
    return `beatlock:${this.#options.app}:${topic}`
  }

  async #subscribe(topics: readonly Topic[]): Promise<void> {
    const redis = this.#redis
    if (!redis || topics.length === 0) return
    try {
      await redis.subscribe(...topics.map((topic) => this.#channel(topic)))
    } catch (error) {
      // Refused, as by an ACL: then there are none. Silence: this connection is no good.
      if (!isReply(error) && redis.status === 'ready') redis.disconnect(true)
      return
    }
    for (const topic of topics.filter((each) => this.#listeners.has(each))) {
      this.#heard.add(topic)
      this.#listeners.tell(topic)
    }
  }

  #unsubscribe(topic: Topic): void {
    this.#heard.delete(topic)
    if (this.#redis?.status === 'ready') this.#redis.unsubscribe(this.#channel(topic)).catch(() => undefined)
  }
}

function endOf(redis: Redis): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, GOODBYE_MS)
    redis.once('end', done)
    function done(): void {
      clearTimeout(timer)
      redis.off('end', done)
      resolve()
    }
  })
}
