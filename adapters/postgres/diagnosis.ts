import { clockFinding, type Finding, fine, note, problem, unknown } from '../../src/lock/finding.js'

/** What a Postgres tells of itself. */
export interface PostgresFacts {
  readonly version: number
  readonly shownVersion: string
  readonly recovering: boolean
  /** By name; one that this role may not see is missing. */
  readonly settings: ReadonlyMap<string, string>
  readonly sessions: number
  /** Session and row locks that are held now. */
  readonly locks: number
  readonly standbys: number
  /** Whether the process that we were given in the handshake is the one that answers. */
  readonly direct: boolean
  readonly schema: SchemaFacts
  readonly clock: { readonly aheadMs: number; readonly withinMs: number }
}

export interface SchemaFacts {
  readonly name: string
  /** Of the tables that are there; undefined: none. */
  readonly version: number | undefined
  /** Of this code. */
  readonly ours: number
  /** The oldest version that what is there serves. */
  readonly servesFrom: number
  readonly current: boolean
  /** This role may set it up. */
  readonly mayCreate: boolean
}

/** What these facts mean for locks and messages. Pure. */
export function diagnose(facts: PostgresFacts): Finding[] {
  return [
    version(facts),
    role(facts),
    durability(facts),
    standbys(facts),
    isolation(facts),
    pooler(facts),
    connections(facts),
    lockTable(facts),
    schema(facts),
    clockFinding(facts.clock),
  ]
}

function version({ version, shownVersion }: PostgresFacts): Finding {
  if (version >= 140_000) return fine('version', `Postgres ${shownVersion}.`)
  return problem('version', `Postgres ${shownVersion} is too old.`, 'use Postgres 14 or later.')
}

function role({ recovering }: PostgresFacts): Finding {
  if (!recovering) return fine('role', 'a primary: it takes writes.')
  return problem('role', 'a standby in recovery: it takes no writes.', 'name the primary.')
}

function durability({ settings }: PostgresFacts): Finding {
  const off = (name: string): boolean => settings.get(name) === 'off'
  if (off('fsync'))
    return problem(
      'durability',
      'fsync is off: a crash of the machine may destroy the whole database.',
      "set 'fsync = on' in postgresql.conf and reload.",
    )
  if (off('full_page_writes'))
    return problem(
      'durability',
      'full_page_writes is off: a crash in the middle of a write may destroy a page of locks or messages.',
      "set 'full_page_writes = on' and reload.",
    )
  if (off('synchronous_commit'))
    return problem(
      'durability',
      'synchronous_commit is off: a crash loses the last steps, up to some 0.6 s, though their callers were answered.',
      "set 'synchronous_commit = on', for this role at least.",
    )
  const commit = settings.get('synchronous_commit') ?? 'on'
  return fine('durability', `each step is on disk before its answer (synchronous_commit ${commit}).`)
}

function standbys({ settings, standbys: count }: PostgresFacts): Finding {
  const names = settings.get('synchronous_standby_names')
  const commit = settings.get('synchronous_commit')
  if (names === undefined) return unknown('standbys', 'cannot tell: this role may not see synchronous_standby_names.')
  if (names !== '' && commit !== 'local')
    return fine('standbys', `each step is on a standby before its answer (synchronous_standby_names ${names}).`)
  if (count === 0) return fine('standbys', 'none that this role can see: no failover that could lose a step.')
  return note(
    'standbys',
    `${count}, which get steps after their answers: a failover may lose the last ones; synchronous_standby_names makes them wait.`,
  )
}

function isolation({ settings }: PostgresFacts): Finding {
  const level = settings.get('default_transaction_isolation')
  if (level === undefined) return unknown('isolation', 'cannot tell: this role may not see it.')
  if (level === 'read committed') return fine('isolation', 'read committed.')
  return problem(
    'isolation',
    `default_transaction_isolation is '${level}': parked calls could be lost, so beatlock refuses it.`,
    "ALTER ROLE … SET default_transaction_isolation = 'read committed'.",
  )
}

function pooler({ direct }: PostgresFacts): Finding {
  if (direct) return fine('pooler', 'none in between: session locks hold.')
  return problem(
    'pooler',
    'a connection pooler is in between, where a session lock belongs to nobody: workers refuse to start with the session barrier.',
    "give the locks a direct URL (locks.url), or write barrier: 'none'.",
  )
}

/** A worker with two queues and its children may take as many. */
const WORKER_CONNECTIONS = 15

function connections({ settings, sessions }: PostgresFacts): Finding {
  const most = Number(settings.get('max_connections') ?? Number.NaN)
  const kept =
    Number(settings.get('superuser_reserved_connections') ?? 0) + Number(settings.get('reserved_connections') ?? 0)
  if (Number.isNaN(most)) return unknown('connections', 'cannot tell: this role may not see max_connections.')
  const left = most - kept - sessions
  const text = `${left} of ${most} are left`
  if (left >= WORKER_CONNECTIONS) return fine('connections', `${text}.`)
  return problem(
    'connections',
    `${text}, and a worker may take about ${WORKER_CONNECTIONS}: workers and callers may be turned away.`,
    'raise max_connections, or end what holds so many.',
  )
}

const FULL = 0.5

function lockTable({ settings, locks }: PostgresFacts): Finding {
  const each = Number(settings.get('max_locks_per_transaction') ?? Number.NaN)
  const owners =
    Number(settings.get('max_connections') ?? Number.NaN) + Number(settings.get('max_prepared_transactions') ?? 0)
  const room = each * owners
  if (Number.isNaN(room)) return unknown('lock table', 'cannot tell: this role may not see its size.')
  const text = `${locks} locks are held, and there is room for about ${room}`
  if (locks < FULL * room) return fine('lock table', `${text}.`)
  return problem(
    'lock table',
    `${text}: once it is full, no run takes its barrier and no statement its table.`,
    'raise max_locks_per_transaction (a restart), or find who holds so many in pg_locks.',
  )
}

function schema({ schema: found }: PostgresFacts): Finding {
  const { name, version, ours, servesFrom, current, mayCreate } = found
  if (version === undefined) {
    const text = `beatlock's tables are not set up yet in schema ${name}`
    if (mayCreate) return note('schema', `${text}: the first process does it.`)
    return problem(
      'schema',
      `${text}, and this role may not.`,
      'grant it CREATE on the database, or create the schema for it.',
    )
  }
  if (servesFrom > ours)
    return problem(
      'schema',
      `schema ${name} is of a later version (${version}) that no longer serves this one (${ours}).`,
      'upgrade beatlock here, or name another schema (?schema=…).',
    )
  if (version > ours)
    return note('schema', `schema ${name} is of a later version (${version}) that serves this one (${ours}).`)
  if (current) return fine('schema', `schema ${name} is current (version ${version}).`)
  return note(
    'schema',
    `schema ${name} is of another build (version ${version}, here ${ours}): the next process brings it up to date.`,
  )
}
