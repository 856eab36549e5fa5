import { type Duration, parseDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import { suggest } from '../lock/suggest.js'
import type { WaitReplicas } from '../lock/wait-replicas.js'
import { readBarrier } from './barrier-option.js'
import { type Entry, readEntry } from './entry.js'
import { readServer, type ServerOption, type ServerSource } from './redis-settings.js'
import { readWaitReplicas } from './replica-option.js'
import { type Router, type Routes, readRoutes } from './route.js'
import { refuseUnknown } from './unknown-option.js'
import { readWorkerOptions, type WorkerAppOptions, type WorkerAppSettings } from './worker-options.js'

export interface AppOptions {
  /**
   * `redis://…`, `postgres://…`, `embedded:`, `embedded:./dir` or `memory:`; for Redis also a URL with certificates beside it,
   * or an ioredis instance. Default: BEATLOCK_BROKER, then `embedded:`.
   */
  readonly broker?: ServerOption
  readonly locks?: {
    /** A server of its own for the locks. Default: the broker's. */
    readonly url?: ServerOption
    /**
     * `auto`: on Postgres a session advisory lock, elsewhere none. `{ quorum }`: the URLs of 3, 5, 7 … independent Redis
     * nodes, a majority of which must agree to each run as well; all processes of the app name the same ones.
     */
    readonly barrier?: 'auto' | 'none' | { readonly quorum: readonly string[] }
    /** How long a running lock lives without a sign of life; renewed each third. At least 5 s, default 15 s. */
    readonly lease?: Duration
    /**
     * On Redis: a grant or a renewal counts once `count` replicas have it; what they have not within `timeout` (default 1 s, at
     * most 1.5 s) does not: nothing is started, no trust prolonged. So a primary that is cut off from its replicas soon runs
     * nothing. With fewer than all replicas it may still run what a promoted one knows nothing of. Default: not waited for.
     */
    readonly waitReplicas?: { readonly count: number; readonly timeout?: Duration }
  }
  /** IANA zone of entries without their own. Default UTC. */
  readonly timezone?: string
  /** Modules with further tasks, relative to the app's module; `*`, `?`, `{a,b}`, and `**` for folders. A pattern names one file at least. */
  readonly imports?: readonly string[]
  /** Results are kept this long; default 1 day. */
  readonly results?: { readonly expires?: Duration }
  /** Queues of calls, by task name or pattern; what the call or its task say wins. Default: all go to `default`. */
  readonly routes?: Routes
  readonly beatSchedule?: Readonly<Record<string, Entry>>
  readonly worker?: WorkerAppOptions
}

/** The options as read once, defaults filled. */
export interface AppSettings {
  readonly broker: ServerSource | undefined
  readonly locksUrl: ServerSource | undefined
  readonly barrier: 'auto' | 'none' | { readonly quorum: readonly string[] }
  readonly leaseMs: number
  readonly waitReplicas: WaitReplicas | undefined
  readonly timezone: string
  readonly imports: readonly string[]
  readonly resultMs: number
  readonly router: Router
  readonly entries: ReadonlyMap<string, Entry>
  readonly worker: WorkerAppSettings
}

const NAMES = ['broker', 'locks', 'timezone', 'imports', 'results', 'routes', 'beatSchedule', 'worker']
const LEASE_MS = 15_000
const MIN_LEASE_MS = 5_000
const RESULT_MS = 86_400_000

/** @throws UsageError that names the option, the value and the cure. */
export function readAppOptions(app: string, options: AppOptions): AppSettings {
  const where = `app '${app}'`
  refuseUnknown(where, options, NAMES)
  const locks = options.locks ?? {}
  refuseUnknown(`${where}: locks`, locks, ['url', 'barrier', 'lease', 'waitReplicas'])
  refuseUnknown(`${where}: results`, options.results ?? {}, ['expires'])
  return {
    broker: readServer(`${where}: broker`, options.broker),
    locksUrl: readServer(`${where}: locks.url`, locks.url),
    barrier: readBarrier(`${where}: locks.barrier`, locks.barrier),
    leaseMs:
      locks.lease === undefined
        ? LEASE_MS
        : parseDuration(locks.lease, `${where}: locks.lease`, { minMs: MIN_LEASE_MS }),
    waitReplicas: readWaitReplicas(`${where}: locks.waitReplicas`, locks.waitReplicas),
    timezone: readZone(where, options.timezone),
    imports: readImports(where, options.imports),
    resultMs:
      options.results?.expires === undefined
        ? RESULT_MS
        : parseDuration(options.results.expires, `${where}: results.expires`, { minMs: 1000 }),
    router: readRoutes(where, options.routes),
    entries: new Map(
      Object.entries(options.beatSchedule ?? {}).map(([name, entry]) => [readEntryName(name), readEntry(name, entry)]),
    ),
    worker: readWorkerOptions(`${where}: worker`, options.worker),
  }
}

/** @throws UsageError. The name is the key space of locks, queues and entries on the server. */
export function readAppName(name: unknown): string {
  if (typeof name === 'string' && /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,62}$/.test(name)) return name
  throw new UsageError(`an app's name must be 1 to 63 letters, digits, '.', '_' or '-', got ${JSON.stringify(name)}.`)
}

/** @throws UsageError */
export function readEntryName(name: unknown): string {
  if (typeof name === 'string' && /^[^\u0000-\u001f\u007f-\u009f]{1,200}$/.test(name)) return name
  throw new UsageError(`a beat entry's name must be 1 to 200 printable characters, got ${JSON.stringify(name)}.`)
}

function readZone(where: string, zone: unknown): string {
  if (zone === undefined) return 'UTC'
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone as string }).resolvedOptions().timeZone && String(zone)
  } catch {
    const guess = typeof zone === 'string' ? suggest(zone, Intl.supportedValuesOf('timeZone')) : ''
    throw new UsageError(
      `${where}: timezone must be an IANA zone such as 'Europe/Berlin', got ${JSON.stringify(zone)}${guess || '.'}`,
    )
  }
}

function readImports(where: string, imports: unknown): readonly string[] {
  if (imports === undefined) return []
  if (Array.isArray(imports) && imports.every((each) => typeof each === 'string')) return imports as string[]
  throw new UsageError(`${where}: imports must be an array of module paths, got ${JSON.stringify(imports)}.`)
}
