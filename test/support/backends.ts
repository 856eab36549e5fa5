import { type Fleet, type FleetOptions, startFleet } from './fleet.js'
import { type PostgresServer, startPostgres } from './postgres-server.js'
import { type RedisServer, startRedis } from './redis-server.js'

/** A server of either kind. */
export interface Backend {
  readonly name: 'redis' | 'postgres'
  readonly url: string
  /** Of its listener on the loopback. */
  readonly port: number
  /** Redis: SIGKILL. Postgres: immediate shutdown, as after a crash. */
  crash(): Promise<void>
  restart(): Promise<void>
  remove(): Promise<void>
}

/** Its data is kept over a restart: Redis has everything in its append-only file. */
export async function startBackend(name: Backend['name']): Promise<Backend> {
  return name === 'redis' ? onRedis(await startRedis({ appendonly: true })) : onPostgres(await startPostgres())
}

/** It comes back empty. */
export async function startForgetfulRedis(): Promise<Backend> {
  return onRedis(await startRedis())
}

function onRedis(server: RedisServer): Backend {
  return {
    name: 'redis',
    url: server.url,
    port: server.port,
    crash: async () => void process.kill(server.pid, 'SIGKILL'),
    restart: () => server.restart(),
    remove: () => server.stop(),
  }
}

function onPostgres(server: PostgresServer): Backend {
  return {
    name: 'postgres',
    url: server.url,
    port: server.connection.port,
    crash: () => server.stop('immediate'),
    restart: () => server.restart(),
    remove: () => server.remove(),
  }
}

/** A fault, on one backend; its fleet is ended and checked by the caller. */
export type Scene = (fleet: Fleet, backend: Backend) => Promise<void>

/**
 * Plays a scene on all backends at once, since most of it is waiting for leases; then all comes to rest and is checked.
 * Fails with what is wrong, and where.
 */
export async function onAll(backends: readonly Backend[], scene: Scene, lease?: FleetOptions['lease']): Promise<void> {
  const played = await Promise.allSettled(backends.map((backend) => playOn(backend, scene, lease)))
  const wrong = played.flatMap((each, at) =>
    each.status === 'rejected' ? [`on ${backends[at]?.name}: ${(each.reason as Error).stack}`] : [],
  )
  if (wrong.length > 0) throw new Error(wrong.join('\n'))
}

export async function playOn(backend: Backend, scene: Scene, lease?: FleetOptions['lease']): Promise<void> {
  const fleet = startFleet({ url: backend.url, lease })
  const played = async (): Promise<void> => {
    await scene(fleet, backend)
    const wrong = await fleet.check()
    if (wrong.length > 0) throw new Error(wrong.join('\n'))
  }
  // One after the other, and what the scene failed of is not lost in how its fleet then ended.
  const failures = [...(await failureOf(played)), ...(await failureOf(() => fleet.end()))]
  if (failures.length > 0) throw new AggregateError(failures, failures.map(({ stack }) => stack).join('\n'))
}

async function failureOf(step: () => Promise<void>): Promise<Error[]> {
  try {
    await step()
    return []
  } catch (error) {
    return [error as Error]
  }
}
