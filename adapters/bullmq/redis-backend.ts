import type { EventEmitter } from 'node:events'
import { type ConnectionOptions, Queue } from 'bullmq'
import { Cluster, type ClusterNode, type ClusterOptions, Redis, type RedisOptions } from 'ioredis'
import { connectionOptions, type RedisPlace } from '../../src/task-base/redis-place.js'
import type { ServerSource } from '../../src/task-base/redis-settings.js'
import { redisPlace } from '../../src/task-base/redis-source.js'
import { hearErrors } from '../../src/task-base/redis-trouble.js'
import { addAlone } from './adding.js'
import { type Backend, COMMAND_TIMEOUT_MS, JOB_OPTIONS, READY_MS } from './backend.js'
import { redisPrefix } from './names.js'

/**
 * A consumer's connection that was asked and hears nothing for so long is half-open, and is made anew: nobody may ever
 * close it. BullMQ blocks for 10 s at most, so a living one always hears something.
 */
const SILENCE_MS = 15_000

/** BullMQ on Redis. One connection publishes; each consumer has its own, and a blocking one of BullMQ's beside it. */
export function redisBackend(of: {
  readonly app: string
  readonly url: ServerSource
  readonly trouble: (error: Error) => void
}): Backend {
  const { app, trouble } = of
  const place = redisPlace(of.url)
  const prefix = redisPrefix(app)
  const client = open(place, trouble, {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_TIMEOUT_MS,
    socketTimeout: COMMAND_TIMEOUT_MS,
  })
  let stood = false
  // Where INFO is not allowed, BullMQ must not look for the version either; the locks' store does where it may.
  let unseen = {}
  return {
    over: place.tls ? 'tls' : 'plain',
    queueName: (queue) => queue,
    openQueue(name) {
      const queue = new Queue(name, { ...connectionOf(client), ...unseen, prefix, defaultJobOptions: JOB_OPTIONS })
      queue.on('error', trouble)
      return queue
    },
    // One connection has them leave together as it is.
    adding: (queue) => (job) => addAlone(queue, job),
    openConsumer() {
      const consuming = open(place, trouble, { maxRetriesPerRequest: null, socketTimeout: SILENCE_MS })
      gatherAll(consuming)
      return {
        options: { ...connectionOf(consuming), ...unseen, prefix },
        factory: undefined,
        close: () => end(consuming),
      }
    },
    note: async (queue) => void (await client.sadd(queuesName(prefix), queue)),
    queues: () => client.smembers(queuesName(prefix)),
    async ready() {
      await ready(client, stood)
      if (!stood && (await isBlind(client))) unseen = { skipVersionCheck: true }
      stood = true
      if (client instanceof Redis) gather(client)
    },
    close: () => end(client),
  }
}

/** No queue can have this name. */
function queuesName(prefix: string): string {
  return `${prefix}:~queues`
}

const pause = (times: number): number => Math.min(1000, 50 * 2 ** times)
const RETRY = {
  retryStrategy: pause,
  sentinelRetryStrategy: pause,
  sentinelCommandTimeout: 1_000,
  // A primary that was made a replica: behind sentinels another one answers.
  reconnectOnError: ({ message }: Error) => /\bREADONLY\b/.test(message),
}

function open(place: RedisPlace, trouble: (error: Error) => void, options: NodeOptions): Client {
  const own = { ...connectionOptions(place), ...options, connectTimeout: READY_MS }
  const client = place.form === 'cluster' ? openCluster(place, own) : new Redis({ ...own, ...RETRY })
  hearErrors(client, trouble)
  return client
}

type Client = Redis | Cluster

/**
 * Told to end while it has no node yet, a cluster's client never says that it has, and BullMQ waits for that: here it does.
 * Its pool tells of its last node as it does anywhere.
 */
class EndingCluster extends Cluster {
  override disconnect(reconnect = false): void {
    super.disconnect(reconnect)
    if (reconnect || this.status !== 'disconnecting' || this.nodes().length > 0) return
    const { connectionPool } = this as unknown as { readonly connectionPool: EventEmitter }
    connectionPool.emit('drain')
  }

  /** BullMQ blocks on a copy, which must be of this kind, too. */
  override duplicate(nodes: ClusterNode[] = [], options: ClusterOptions = {}): Cluster {
    const { startupNodes } = this as unknown as { readonly startupNodes: readonly ClusterNode[] }
    const redisOptions = { ...this.options.redisOptions, ...options.redisOptions, replyMapping: 'legacy' as const }
    return new EndingCluster(nodes.length > 0 ? nodes : [...startupNodes], {
      ...this.options,
      ...options,
      redisOptions,
    })
  }
}

/** It repeats what met a move or a failover, which is safe: a message's id is that of its job. */
function openCluster({ nodes, natMap }: RedisPlace, { enableOfflineQueue = true, ...own }: NodeOptions): Cluster {
  return new EndingCluster([...nodes], {
    redisOptions: { ...own, replyMapping: 'legacy' },
    enableOfflineQueue,
    clusterRetryStrategy: pause,
    slotsRefreshTimeout: READY_MS,
    // A failover is noticed also where nothing is asked of the node that is gone.
    slotsRefreshInterval: 5_000,
    // By name: a certificate is for names.
    dnsLookup: (host, found) => found(null, host),
    ...(natMap === undefined ? {} : { natMap }),
  })
}

type NodeOptions = Pick<
  RedisOptions,
  | 'enableOfflineQueue'
  | 'autoResendUnfulfilledCommands'
  | 'maxRetriesPerRequest'
  | 'commandTimeout'
  | 'connectTimeout'
  | 'socketTimeout'
>

/** BullMQ's types know an earlier ioredis; the instance works with it (measured). */
function connectionOf(client: Client): { connection: ConnectionOptions } {
  return { connection: client as unknown as ConnectionOptions }
}

/** A connection that was lost may come back; one that never stood is reported by its first error. */
async function ready(client: Client, stoodBefore: boolean): Promise<void> {
  if (client.status === 'ready') return
  let last: Error = new Error('no connection within 2 s: timeout')
  await new Promise<void>((resolve, reject) => {
    const settle = (error?: Error): void => {
      clearTimeout(late)
      quiet()
      if (error) reject(error)
      else resolve()
    }
    const note = (error: Error): void => {
      last = error
      if (!stoodBefore) settle(error)
    }
    const late = setTimeout(() => settle(last), READY_MS)
    const quiet = hearErrors(client, note)
    client.once('ready', () => settle())
  })
}

/** What one turn of the loop sends leaves in one write, the dearest part of a command. */
function gather({ stream }: Redis): void {
  if (stream.writableCorked > 0) return
  stream.cork()
  setImmediate(() => stream.uncork())
}

/** The same for a client whose commands BullMQ sends. */
function gatherAll(client: Client): void {
  if (client instanceof Cluster) return
  const send = client.sendCommand.bind(client)
  client.sendCommand = (command, stream) => {
    if (client.status === 'ready') gather(client)
    return send(command, stream)
  }
}

/** INFO is not allowed to this user. */
async function isBlind(client: Client): Promise<boolean> {
  try {
    await client.info('server')
    return false
  } catch (error) {
    if (/^NOPERM/.test((error as Error).message)) return true
    throw error
  }
}

async function end(client: Client): Promise<void> {
  if (client.status === 'end') return
  const between = client.status === 'reconnecting' || client.status === 'wait'
  const ended = between ? undefined : new Promise<void>((resolve) => client.once('end', () => resolve()))
  client.disconnect()
  await ended
}
