import { clockFinding, type Finding, fine, note, problem, unknown } from '../../src/lock/finding.js'

/** What a Redis tells of itself. */
export interface RedisFacts {
  /** `INFO`, by field; empty where it may not be asked for. */
  readonly info: ReadonlyMap<string, string>
  /** `CONFIG GET`, by setting; undefined where it may not be asked for. */
  readonly config: ReadonlyMap<string, string> | undefined
  readonly clock: { readonly aheadMs: number; readonly withinMs: number }
}

/** What these facts mean for locks and messages. Pure. */
export function diagnose(facts: RedisFacts): Finding[] {
  return [
    version(facts),
    role(facts),
    persistence(facts),
    ...writes(facts),
    eviction(facts),
    memory(facts),
    replicas(facts),
    clockFinding(facts.clock),
  ]
}

const DENIED = "the URL's user may not ask for CONFIG; the server's own settings say it."

function version({ info }: RedisFacts): Finding {
  const text = info.get('redis_version')
  const [major = 0, minor = 0] = (text ?? '').split('.').map(Number)
  if (text === undefined) return unknown('version', "cannot tell: the URL's user may not ask for INFO.")
  const name = info.has('valkey_version') ? `Valkey ${info.get('valkey_version')}` : `Redis ${text}`
  if (major > 6 || (major === 6 && minor >= 2)) return fine('version', `${name}.`)
  return problem('version', `${name} is too old: beatlock refuses it.`, 'use Redis 6.2 or later, or Valkey.')
}

function role({ info }: RedisFacts): Finding {
  const mode = info.get('redis_mode') ?? (info.get('cluster_enabled') === '1' ? 'cluster' : 'standalone')
  if (info.get('role') === undefined) return unknown('role', "cannot tell: the URL's user may not ask for INFO.")
  if (info.get('role') !== 'master')
    return problem('role', 'a replica: it takes no writes.', 'name the primary, or reach it through Sentinel.')
  if (mode === 'sentinel')
    return problem('role', 'a Sentinel: it keeps no data.', 'write redis+sentinel://… with the name of the primary.')
  return fine('role', mode === 'cluster' ? 'a primary of a cluster.' : 'a primary of its own.')
}

function persistence({ info, config }: RedisFacts): Finding {
  const append = config?.get('appendonly') ?? (info.get('aof_enabled') === '1' ? 'yes' : 'no')
  if (config === undefined && !info.has('aof_enabled')) return unknown('persistence', `cannot tell: ${DENIED}`)
  if (append === 'yes') return appended(config?.get('appendfsync'))
  const save = config?.get('save')
  const cure = "set 'appendonly yes' (CONFIG SET appendonly yes, and in its configuration file)."
  if (save === '' || save === undefined)
    return problem(
      'persistence',
      save === undefined
        ? 'appendonly is off: a restart loses at least what was written since the last snapshot: locks, messages, results.'
        : 'nothing is kept on disk: a restart loses all locks, waiting messages, results and the timetable.',
      cure,
    )
  return problem(
    'persistence',
    `only snapshots are kept (save ${save}): a restart loses the locks, messages and results since the last one.`,
    cure,
  )
}

function appended(fsync: string | undefined): Finding {
  if (fsync === 'always') return fine('persistence', 'each write is on disk before its reply: a restart loses nothing.')
  if (fsync === 'no')
    return problem(
      'persistence',
      "appendfsync is 'no': a crash of the machine loses what the system had not written, some 30 s of locks and messages.",
      "set 'appendfsync everysec', or 'always'.",
    )
  const known =
    fsync === undefined ? 'appendonly is on; appendfsync cannot be seen. With everysec a' : 'appendonly everysec: a'
  return note(
    'persistence',
    `${known} crash of the machine may lose the last second of locks and messages, a crash of Redis alone nothing; appendfsync always keeps that too, at the price of a disk write a step.`,
  )
}

/** What makes a server refuse writes, or lose them unseen. */
function writes({ info }: RedisFacts): Finding[] {
  const failed = ['rdb_last_bgsave_status', 'aof_last_write_status', 'aof_last_bgrewrite_status'].filter(
    (field) => info.get(field) === 'err',
  )
  if (failed.length === 0) return []
  return [
    problem(
      'writes',
      `its last write to disk failed (${failed.join(', ')}): it may refuse writes, and a restart may lose them.`,
      'look for a full disk or missing rights in its log.',
    ),
  ]
}

function eviction({ info, config }: RedisFacts): Finding {
  const policy = config?.get('maxmemory-policy') ?? info.get('maxmemory_policy')
  if (policy === undefined) return unknown('eviction', `cannot tell: ${DENIED}`)
  if (policy === 'noeviction') return fine('eviction', 'noeviction: no lock or message is thrown away.')
  if (policy.startsWith('volatile-'))
    return note(
      'eviction',
      `${policy}: locks have no lifetime there and stay; shared values with one may be thrown away when its memory is full. The broker, BullMQ, asks for noeviction.`,
    )
  return problem(
    'eviction',
    `${policy}: when its memory is full it throws away any key, locks and messages included; worker and beat refuse to keep locks there.`,
    "set 'maxmemory-policy noeviction', or give locks and messages a server of their own.",
  )
}

const FULL = 0.8

function memory({ info, config }: RedisFacts): Finding {
  const limit = Number(config?.get('maxmemory') ?? info.get('maxmemory') ?? Number.NaN)
  const used = Number(info.get('used_memory') ?? Number.NaN)
  if (Number.isNaN(limit) || Number.isNaN(used)) return unknown('memory', `cannot tell: ${DENIED}`)
  const uses = `it uses ${megabytes(used)}`
  if (limit === 0) return fine('memory', `${uses}, without a limit of its own (maxmemory 0).`)
  const share = `${uses} of ${megabytes(limit)}`
  if (used < FULL * limit) return fine('memory', `${share}.`)
  return problem(
    'memory',
    `${share}: once it is full, starts, renewals and calls are refused, and running tasks lose their locks.`,
    'raise maxmemory, or make room: shorter results.expires, fewer waiting messages.',
  )
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MB`
}

function replicas({ info, config }: RedisFacts): Finding {
  const count = info.get('connected_slaves')
  if (count === undefined) return unknown('replicas', "cannot tell: the URL's user may not ask for INFO.")
  if (count === '0') return fine('replicas', 'none: there is no failover that could lose a write.')
  const wanted = Number(config?.get('min-replicas-to-write') ?? 0)
  const fence =
    wanted > 0 ? ` It refuses writes with fewer than ${wanted} of them, which bounds that (min-replicas-to-write).` : ''
  return note(
    'replicas',
    `${count}, which get writes after their replies: a failover may lose the last ones. No run starts for a lease and its delay after one, and a stale run is told apart by its token.${fence}`,
  )
}
