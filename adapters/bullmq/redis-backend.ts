import { type ConnectionOptions, Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { connectionOptions, type RedisPlace } from '../../src/task-base/redis-place.js'
import type { ServerSource } from '../../src/task-base/redis-settings.js'
import { redisPlace } from '../../src/task-base/redis-source.js'
import { addAlone } from './adding.js'
import { type Backend, COMMAND_TIMEOUT_MS, JOB_OPTIONS, READY_MS } from './backend.js'
import { redisPrefix } from './names.js'

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
  })
  let stood = false
  return {
    over: place.tls ? 'tls' : 'plain',
    queueName: (queue) => queue,
    openQueue(name) {
      const queue = new Queue(name, { ...connectionOf(client), prefix, defaultJobOptions: JOB_OPTIONS })
      queue.on('error', trouble)
      return queue
    },
    // One connection has them leave together as it is.
    adding: (queue) => (job) => addAlone(queue, job),
    openConsumer() {
      const consuming = open(place, trouble, { maxRetriesPerRequest: null })
      gatherAll(consuming)
      return {
        options: { ...connectionOf(consuming), prefix },
        factory: undefined,
        close: () => end(consuming),
      }
    },
    note: async (queue) => void (await client.sadd(queuesName(prefix), queue)),
    queues: () => client.smembers(queuesName(prefix)),
    async ready() {
      await ready(client, stood)
      stood = true
      gather(client)
    },
    close: () => end(client),
  }
}

/** No queue can have this name. */
function queuesName(prefix: string): string {
  return `${prefix}:~queues`
}

const pause = (times: number): number => Math.min(1000, 50 * 2 ** times)
const RETRY = { retryStrategy: pause, sentinelRetryStrategy: pause, sentinelCommandTimeout: 1_000 }

function open(place: RedisPlace, trouble: (error: Error) => void, options: object): Redis {
  const client = new Redis({ ...connectionOptions(place), ...options, ...RETRY, connectTimeout: READY_MS })
  client.on('error', trouble)
  return client
}

/** BullMQ's types know an earlier ioredis; the instance works with it (measured). */
function connectionOf(client: Redis): { connection: ConnectionOptions } {
  return { connection: client as unknown as ConnectionOptions }
}

/** A connection that was lost may come back; one that never stood is reported by its first error. */
async function ready(client: Redis, stoodBefore: boolean): Promise<void> {
  if (client.status === 'ready') return
  let last: Error = new Error('no connection within 2 s: timeout')
  await new Promise<void>((resolve, reject) => {
    const settle = (error?: Error): void => {
      clearTimeout(late)
      client.off('error', note)
      if (error) reject(error)
      else resolve()
    }
    const note = (error: Error): void => {
      last = error
      if (!stoodBefore) settle(error)
    }
    const late = setTimeout(() => settle(last), READY_MS)
    client.on('error', note)
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
function gatherAll(client: Redis): void {
  const send = client.sendCommand.bind(client)
  client.sendCommand = (command, stream) => {
    if (client.status === 'ready') gather(client)
    return send(command, stream)
  }
}

async function end(client: Redis): Promise<void> {
  if (client.status === 'end') return
  const between = client.status === 'reconnecting' || client.status === 'wait'
  const ended = between ? undefined : new Promise<void>((resolve) => client.once('end', () => resolve()))
  client.disconnect()
  await ended
}
