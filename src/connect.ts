import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ScheduleStore } from './beat/schedule-store.js'
import type { Barrier } from './lock/barrier.js'
import { UsageError } from './lock/error.js'
import type { Examined } from './lock/finding.js'
import type { LockSource, LockStore } from './lock/lock-store.js'
import { printable } from './lock/printable.js'
import type { WaitReplicas } from './lock/wait-replicas.js'
import type { Engine } from './task-base/engine.js'
import { type RedisPlace, shownPlace } from './task-base/redis-place.js'
import type { ServerSource } from './task-base/redis-settings.js'

/** Everything that one app needs of its servers. The one place that turns a URL into an adapter. */
export interface Servers {
  /** The servers as shown to people: scheme, host, port, database; no credentials. */
  readonly broker: string
  readonly locks: string
  readonly lockStore: LockStore
  readonly engine: Engine
  readonly scheduleStore: ScheduleStore
  /** Where the timetable is, as shown to people: the locks' server, or a file. */
  readonly schedule: string
  /** How the keeper thread opens the lock store; undefined for `memory:`, which lives in this process. */
  readonly lockSource: LockSource | undefined
  /** How children reach the very same servers; undefined for `memory:`. */
  readonly forChildren: { readonly broker: ServerSource; readonly locks: ServerSource } | undefined
  /** The barrier whose seats have leases: opened by whatever renews them; undefined where the locks have none such. */
  readonly barrierSource: LockSource | undefined
  /** Opens this process's session barrier, or undefined where the locks have none. Only what runs bodies calls it. */
  openBarrier(worker: string): Promise<Barrier | undefined>
  close(): Promise<void>
}

export interface ConnectOptions {
  readonly app: string
  /** Undefined: BEATLOCK_BROKER, then `embedded:`. */
  readonly broker: ServerSource | undefined
  /** Undefined: BEATLOCK_LOCKS, then the broker's. */
  readonly locks: ServerSource | undefined
  /** Where the timetable is: undefined: on the locks' server; or `file:PATH`. */
  readonly schedule?: string | undefined
  readonly barrier: 'auto' | 'none' | { readonly quorum: readonly string[] }
  /** Redis only: replicas that must have a lease before it counts. */
  readonly waitReplicas?: WaitReplicas
  /** Folder of a bare `embedded:`; undefined: `.beatlock` beside the nearest package.json from the working folder up. */
  readonly embeddedDir: string | undefined
  /** May start an embedded server that is not running: worker, beat and publishers may, one-shot commands do not. */
  readonly mayStart: boolean
  /** Told of trouble that mends itself. */
  readonly trouble: (error: Error) => void
}

const SCHEMES = ['redis', 'postgres', 'embedded', 'memory'] as const
export type Scheme = (typeof SCHEMES)[number]

const SPELLED: Readonly<Record<string, Scheme>> = { rediss: 'redis', postgresql: 'postgres' }

/** @throws UsageError for a scheme that no adapter serves. */
export function schemeOf(source: ServerSource): Scheme {
  if (typeof source !== 'string') return 'redis'
  const named = source.slice(0, Math.max(0, source.indexOf(':'))).replace(/^(rediss?)\+(sentinel|cluster)$/, '$1')
  const scheme = SPELLED[named] ?? named
  const known = SCHEMES.find((each) => each === scheme)
  if (known) return known
  throw new UsageError(
    `'${maskUrl(source)}' is no server URL that beatlock knows; write redis://…, postgres://…, embedded: or memory:.`,
  )
}

/** The URL without user name, password and query: what may be shown. A password may hold any character, unencoded. */
export function maskUrl(url: string): string {
  return printable(url.replace(/^([^:/]*:)?(\/\/)?.*@/s, '$1$2').replace(/[?#].*$/s, ''))
}

/** `.beatlock` beside the nearest package.json from `from` up, else in `from`. */
export function embeddedFolder(from: string): string {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return join(folder, '.beatlock')
    if (dirname(folder) === folder) return join(resolve(from), '.beatlock')
  }
}

/** Which broker a process uses. @throws UsageError in production where none is named: three hosts would have no lock. */
export function brokerOf(options: Pick<ConnectOptions, 'broker' | 'embeddedDir'>): ServerSource {
  const named = options.broker ?? process.env['BEATLOCK_BROKER']
  if (named === undefined || named === '') {
    if (process.env['NODE_ENV'] === 'production') {
      throw new UsageError(
        'no broker is named, and NODE_ENV is production: give --broker URL, BEATLOCK_BROKER or the app option broker.',
      )
    }
    return `embedded:${options.embeddedDir ?? embeddedFolder('.')}`
  }
  if (typeof named !== 'string' || schemeOf(named) !== 'embedded') return named
  const folder = named.slice('embedded:'.length)
  return `embedded:${folder === '' ? (options.embeddedDir ?? embeddedFolder('.')) : resolve(folder)}`
}

function namedBy(options: ConnectOptions): { readonly broker: ServerSource; readonly locks: ServerSource } {
  const broker = brokerOf(options)
  return { broker, locks: brokerOf({ ...options, broker: options.locks ?? process.env['BEATLOCK_LOCKS'] ?? broker }) }
}

/** Looks at the servers of an app, opens nothing on them and starts none. @throws UsageError for a bad URL. */
export async function examine(options: ConnectOptions): Promise<readonly Examined[]> {
  const { broker, locks } = namedBy(options)
  const alike = broker === locks
  const examined = [{ role: alike ? 'broker and locks' : 'broker', ...(await examineAt(broker, options)) }]
  if (!alike) examined.push({ role: 'locks', ...(await examineAt(locks, options)) })
  if (typeof options.barrier === 'string') return examined
  const { examine: examineNodes } = await import('../adapters/redlock/index.js')
  const nodes = await examineNodes(options.barrier.quorum)
  return [...examined, ...nodes.map((each) => ({ role: 'node of the quorum', ...each }))]
}

async function examineAt(url: ServerSource, { app }: ConnectOptions): Promise<Omit<Examined, 'role'>> {
  if (typeof url !== 'string' || schemeOf(url) === 'redis') {
    const { redisPlace } = await import('./task-base/redis-source.js')
    const { examine: examineRedis } = await import('../adapters/redis/index.js')
    return examineRedis({ url, server: shownSource(url, redisPlace(url)) })
  }
  if (schemeOf(url) === 'embedded') {
    const { examine: examineEmbedded } = await import('../adapters/embedded/examine.js')
    return examineEmbedded({ dir: url.slice('embedded:'.length), app })
  }
  const { examine: examinePostgres, parsePostgresUrl } = await import('../adapters/postgres/index.js')
  const { connection, schema } = parsePostgresUrl(url)
  return examinePostgres({ app, server: maskUrl(url), connection, ...(schema === undefined ? {} : { schema }) })
}

/** Opens the servers of an app. @throws UsageError for a bad URL, ServerUnavailable for a server that does not answer. */
export async function connect(options: ConnectOptions): Promise<Servers> {
  const { broker, locks } = namedBy(options)
  if (options.waitReplicas) refuseElsewhere(locks)
  if (schemeOf(broker) === 'memory' || schemeOf(locks) === 'memory') return connectMemory(options, broker, locks)
  const opened: { close(): Promise<void> }[] = []
  const keep = <T extends { close(): Promise<void> }>(part: T): T => {
    opened.push(part)
    return part
  }
  const close = async (): Promise<void> => {
    for (const part of opened.splice(0).reverse()) await part.close()
  }
  try {
    return { ...(await connectServers(options, { broker, locks }, keep)), close }
  } catch (error) {
    await close()
    throw error
  }
}

function refuseElsewhere(locks: ServerSource): void {
  const scheme = schemeOf(locks)
  if (scheme === 'redis') return
  throw new UsageError(
    `locks.waitReplicas is for locks on Redis, and these are on ${scheme}: leave it out; on Postgres a synchronous standby ` +
      '(synchronous_standby_names) does as much.',
  )
}

async function connectMemory(options: ConnectOptions, broker: ServerSource, locks: ServerSource): Promise<Servers> {
  if (broker !== locks)
    throw new UsageError('memory: holds locks and messages of one process; it goes with no other server.')
  const { openMemory } = await import('../adapters/memory/index.js')
  const memory = openMemory({ app: options.app })
  return {
    broker: 'memory:',
    locks: 'memory:',
    schedule: 'memory:',
    ...memory,
    lockSource: undefined,
    barrierSource: barrierSourceOf(options),
    forChildren: undefined,
    openBarrier: async () => undefined,
    close: async () => {
      await memory.engine.close()
      await memory.scheduleStore.close()
      await memory.lockStore.close()
    },
  }
}

type Keep = <T extends { close(): Promise<void> }>(part: T) => T

/** One server as the adapters take it: a Redis URL, or a Postgres connection. */
type Place =
  | { readonly kind: 'redis'; readonly shown: string; readonly url: ServerSource }
  | {
      readonly kind: 'postgres'
      readonly shown: string
      readonly connection: PostgresConnection
      readonly schema: string | undefined
    }

type PostgresConnection = import('../adapters/postgres/index.js').PostgresOptions['connection']

async function connectServers(
  options: ConnectOptions,
  urls: { broker: ServerSource; locks: ServerSource },
  keep: Keep,
): Promise<Omit<Servers, 'close'>> {
  const file = readFileUrl(options.schedule)
  const broker = await serverAt(urls.broker, options, keep)
  const locks = urls.locks === urls.broker ? broker : await serverAt(urls.locks, options, keep)
  const engine = keep(await openEngineAt(broker, options))
  const { module, lockOptions } = lockAdapter(locks, options)
  const adapter = await import(module.href)
  return {
    broker: broker.shown,
    locks: locks.shown,
    engine,
    lockStore: keep((await adapter.openLockStore(lockOptions)) as LockStore),
    schedule: file === undefined ? locks.shown : `file:${file}`,
    scheduleStore: keep(
      file === undefined
        ? ((await adapter.openScheduleStore(lockOptions)) as ScheduleStore)
        : await openFile(file, options),
    ),
    lockSource: { module: module.href, options: lockOptions },
    barrierSource: barrierSourceOf(options),
    forChildren: urls,
    openBarrier: async (worker) =>
      locks.kind === 'postgres' && options.barrier === 'auto'
        ? ((await adapter.openBarrier({ ...lockOptions, name: worker })) as Barrier)
        : undefined,
  }
}

/** The path of `file:PATH`. @throws UsageError for anything else */
export function readFileUrl(url: string | undefined): string | undefined {
  if (url === undefined) return undefined
  if (/^file:./.test(url)) return resolve(url.startsWith('file://') ? fileURLToPath(url) : url.slice('file:'.length))
  throw new UsageError(
    `--store must be file:PATH, got '${maskUrl(url)}'; without it the timetable is on the locks' server.`,
  )
}

/** One-shot commands may look at a file that a beat holds. */
async function openFile(path: string, { app, mayStart }: ConnectOptions): Promise<ScheduleStore> {
  const { openScheduleStore } = await import('../adapters/file/index.js')
  return openScheduleStore({ app, path, whenHeld: mayStart ? 'refuse' : 'view' })
}

async function serverAt(url: ServerSource, options: ConnectOptions, keep: Keep): Promise<Place> {
  if (typeof url !== 'string' || schemeOf(url) === 'redis') {
    const { redisPlace } = await import('./task-base/redis-source.js')
    return { kind: 'redis', shown: shownSource(url, redisPlace(url)), url }
  }
  if (schemeOf(url) === 'embedded') {
    const { openEmbedded } = await import('../adapters/embedded/index.js')
    const { mayStart, trouble } = options
    const server = keep(await openEmbedded({ dir: url.slice('embedded:'.length), mayStart, trouble }))
    return { kind: 'postgres', shown: `embedded:${server.folder}`, connection: server.connection, schema: undefined }
  }
  const { parsePostgresUrl } = await import('../adapters/postgres/index.js')
  const { connection, schema } = parsePostgresUrl(url)
  return { kind: 'postgres', shown: maskUrl(url), connection, schema }
}

function shownSource(source: ServerSource, place: RedisPlace): string {
  if (typeof source === 'string') return maskUrl(source)
  return 'url' in source ? maskUrl(source.url) : shownPlace(place)
}

function lockAdapter(
  place: Place,
  { app, waitReplicas }: ConnectOptions,
): { module: URL; lockOptions: Record<string, unknown> } {
  const module = new URL(`../adapters/${place.kind}/index.js`, import.meta.url)
  const server = place.shown
  if (place.kind === 'redis') {
    return { module, lockOptions: { app, server, url: place.url, ...(waitReplicas ? { waitReplicas } : {}) } }
  }
  const { connection, schema } = place
  return { module, lockOptions: { app, server, connection, ...(schema === undefined ? {} : { schema }) } }
}

function barrierSourceOf({ app, barrier }: ConnectOptions): LockSource | undefined {
  if (typeof barrier === 'string') return undefined
  const module = new URL('../adapters/redlock/index.js', import.meta.url).href
  return { module, options: { app, nodes: barrier.quorum } }
}

async function openEngineAt(place: Place, { app }: ConnectOptions): Promise<Engine> {
  const { openEngine } = await import('../adapters/bullmq/index.js')
  const server = place.shown
  if (place.kind === 'redis') return openEngine({ app, server, redis: { url: place.url } })
  const { cureOf, placeOf } = await import('../adapters/postgres/index.js')
  const role = place.connection.user
  const cure = (error: unknown, schema: string): string | undefined => cureOf(error, { schema, role })
  return openEngine({ app, server, postgres: { connection: placeOf(place.connection), cureOf: cure } })
}
