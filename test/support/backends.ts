import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '../../adapters/embedded/session.js'
import { type Fleet, type FleetOptions, startFleet } from './fleet.js'
import { type PostgresServer, startPostgres } from './postgres-server.js'
import { type Quorum, startQuorum } from './quorum.js'
import { withRedis } from './redis-client.js'
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
  /** What processes of it are started with. */
  readonly env?: Readonly<Record<string, string>>
  /** What else can happen to it while all its data are kept. */
  readonly strikes?: Readonly<Record<string, () => Promise<void>>>
  /** What happens to it that loses its data. */
  readonly losses?: Readonly<Record<string, () => Promise<void>>>
}

export type BackendName = Backend['name'] | 'redis+quorum' | 'redis that forgets'

/** How long a server is stopped at most: less than leases last. */
const SERVER_PAUSE_MS = 2_000

/** Its data is kept over a restart: Redis has everything in its append-only file. */
export async function startBackend(name: BackendName): Promise<Backend> {
  if (name === 'redis that forgets') return forgetful(await startRedis())
  if (name === 'redis+quorum') return withQuorum(await startBackend('redis'), await startQuorum())
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
    strikes: {
      'pause server': () => paused(server.pid),
      'end connections': () =>
        withRedis(
          server,
          async (redis) => void (await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')),
        ),
    },
  }
}

/** Nothing outlasts its restart, and it is emptied. */
function forgetful(server: RedisServer): Backend {
  const backend = onRedis(server)
  return {
    ...backend,
    losses: {
      'empty server': () => withRedis(server, async (redis) => void (await redis.flushall())),
      'restart server empty': async () => {
        await backend.crash()
        await backend.restart()
      },
    },
  }
}

/** The locks' barrier is a quorum, whose nodes keep nothing over a restart. */
function withQuorum(backend: Backend, quorum: Quorum): Backend {
  let struck = 0
  const next = (): number => struck++ % quorum.nodes.length
  return {
    ...backend,
    env: { FAULT_QUORUM: quorum.urls.join() },
    remove: async () => void (await Promise.all([backend.remove(), quorum.remove()])),
    strikes: {
      ...backend.strikes,
      'restart quorum node empty': () => quorum.start(next()),
      'empty quorum node': () =>
        withRedis(quorum.nodes[next()] as RedisServer, async (redis) => void (await redis.flushall())),
      'pause quorum node': async () => {
        const wake = quorum.pause(next())
        await sleep(SERVER_PAUSE_MS)
        wake()
      },
      'no quorum': async () => {
        const wake = quorum.pause(next(), next())
        await sleep(SERVER_PAUSE_MS)
        wake()
      },
    },
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
    strikes: {
      'end connections': async () => {
        const attempt = await connect(server.connection, 'fault')
        if (attempt.outcome !== 'connected') return
        await attempt.client.query(
          'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = $1',
          ['client backend'],
        )
        await attempt.client.end()
      },
    },
  }
}

async function paused(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  await sleep(SERVER_PAUSE_MS)
  process.kill(pid, 'SIGCONT')
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
