import assert from 'node:assert/strict'
import { diagnose as diagnosePostgres, type PostgresFacts } from '../../adapters/postgres/diagnosis.js'
import { diagnose as diagnoseRedis, type RedisFacts } from '../../adapters/redis/diagnosis.js'
import type { Finding } from '../../src/lock/finding.js'

const CLOCK = { aheadMs: 3, withinMs: 1 }
const INFO = {
  redis_version: '7.0.15',
  redis_mode: 'standalone',
  role: 'master',
  used_memory: '1048576',
  connected_slaves: '0',
  aof_enabled: '1',
}
const CONFIG = { appendonly: 'yes', appendfsync: 'always', save: '', maxmemory: '0', 'maxmemory-policy': 'noeviction' }

function redis(over: { info?: object; config?: object | null; clock?: RedisFacts['clock'] }): RedisFacts {
  const config = over.config === null ? undefined : new Map(Object.entries({ ...CONFIG, ...over.config }))
  return { info: new Map(Object.entries({ ...INFO, ...over.info })), config, clock: over.clock ?? CLOCK }
}

const SETTINGS = {
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  synchronous_standby_names: '',
  default_transaction_isolation: 'read committed',
  max_connections: '100',
  superuser_reserved_connections: '3',
  max_locks_per_transaction: '64',
  max_prepared_transactions: '0',
}
const SCHEMA = { name: 'beatlock', version: 10, ours: 10, servesFrom: 9, current: true, mayCreate: true }

function postgres(over: Partial<Omit<PostgresFacts, 'settings' | 'schema'>> & { settings?: object; schema?: object }) {
  const settings = new Map(Object.entries({ ...SETTINGS, ...over.settings }))
  const schema = { ...SCHEMA, ...over.schema }
  const facts = { version: 150_003, shownVersion: '15.3', recovering: false, sessions: 9, locks: 12, standbys: 0 }
  return { ...facts, direct: true, clock: CLOCK, ...over, settings, schema }
}

/** [what is set, of which check, how it is judged, what is said of it, with its cure] */
const REDIS: readonly [Parameters<typeof redis>[0], string, Finding['verdict'], RegExp][] = [
  [{ info: { redis_version: '6.0.9' } }, 'version', 'problem', /Redis 6\.0\.9 is too old.*6\.2 or later/],
  [{ info: { redis_version: '7.2.4', valkey_version: '8.0.1' } }, 'version', 'fine', /^Valkey 8\.0\.1\./],
  [{ info: { role: 'slave' } }, 'role', 'problem', /a replica: it takes no writes.*name the primary/],
  [{ info: { redis_mode: 'sentinel' } }, 'role', 'problem', /a Sentinel: it keeps no data/],
  [{ info: { redis_mode: 'cluster' } }, 'role', 'fine', /a primary of a cluster/],
  [{ config: { appendonly: 'no' } }, 'persistence', 'problem', /nothing is kept.*appendonly yes/],
  [
    { config: { appendonly: 'no', save: '3600 1' } },
    'persistence',
    'problem',
    /only snapshots are kept \(save 3600 1\)/,
  ],
  [{ config: { appendfsync: 'everysec' } }, 'persistence', 'note', /may lose the last second/],
  [{ config: { appendfsync: 'no' } }, 'persistence', 'problem', /some 30 s.*appendfsync everysec/],
  [{ config: null, info: { aof_enabled: '0' } }, 'persistence', 'problem', /appendonly is off/],
  [{ config: null, info: { aof_enabled: '1' } }, 'persistence', 'note', /appendfsync cannot be seen/],
  [{ info: { aof_last_write_status: 'err' } }, 'writes', 'problem', /aof_last_write_status.*full disk/],
  [{ config: { 'maxmemory-policy': 'allkeys-lru' } }, 'eviction', 'problem', /locks and messages included.*noeviction/],
  [{ config: { 'maxmemory-policy': 'volatile-ttl' } }, 'eviction', 'note', /locks have no lifetime/],
  [{ config: null }, 'eviction', 'unknown', /^cannot tell: .*CONFIG/],
  [{ config: { maxmemory: '1100000' } }, 'memory', 'problem', /1\.0 MB of 1\.0 MB.*raise maxmemory/],
  [{ config: { maxmemory: '104857600' } }, 'memory', 'fine', /1\.0 MB of 100\.0 MB/],
  [{ info: { connected_slaves: '2' } }, 'replicas', 'note', /^2, which get writes after/],
  [{ info: { connected_slaves: '2' }, config: { 'min-replicas-to-write': '1' } }, 'replicas', 'note', /fewer than 1/],
  [{ clock: { aheadMs: -90_000, withinMs: 1 } }, 'clock', 'problem', /90000 ms behind the server's.*NTP/],
  [{ clock: { aheadMs: 1_200, withinMs: 300 } }, 'clock', 'fine', /agree within 1200 ms/],
]

const POSTGRES: readonly [Parameters<typeof postgres>[0], string, Finding['verdict'], RegExp][] = [
  [{ version: 130_004, shownVersion: '13.4' }, 'version', 'problem', /13\.4 is too old.*14 or later/],
  [{ recovering: true }, 'role', 'problem', /standby in recovery.*name the primary/],
  [{ settings: { fsync: 'off' } }, 'durability', 'problem', /destroy the whole database.*fsync = on/],
  [{ settings: { full_page_writes: 'off' } }, 'durability', 'problem', /full_page_writes = on/],
  [
    { settings: { synchronous_commit: 'off' } },
    'durability',
    'problem',
    /loses the last steps.*synchronous_commit = on/,
  ],
  [{ standbys: 1 }, 'standbys', 'note', /^1, which get steps after/],
  [{ standbys: 1, settings: { synchronous_standby_names: 's1' } }, 'standbys', 'fine', /on a standby before/],
  [
    { standbys: 1, settings: { synchronous_standby_names: 's1', synchronous_commit: 'local' } },
    'standbys',
    'note',
    /a failover may lose/,
  ],
  [
    { settings: { default_transaction_isolation: 'serializable' } },
    'isolation',
    'problem',
    /is 'serializable'.*ALTER ROLE/,
  ],
  [{ direct: false }, 'pooler', 'problem', /pooler is in between.*locks\.url/],
  [{ sessions: 90 }, 'connections', 'problem', /^7 of 100 are left.*max_connections/],
  [{ locks: 5_000 }, 'lock table', 'problem', /5000 locks are held.*about 6400.*max_locks_per_transaction/],
  [{ schema: { version: undefined } }, 'schema', 'note', /not set up yet in schema beatlock: the first process/],
  [{ schema: { version: undefined, mayCreate: false } }, 'schema', 'problem', /may not.*CREATE/],
  [{ schema: { version: 12, servesFrom: 11 } }, 'schema', 'problem', /later version \(12\).*upgrade beatlock/],
  [{ schema: { version: 12, servesFrom: 9 } }, 'schema', 'note', /later version \(12\) that serves this one/],
  [{ schema: { version: 9, current: false } }, 'schema', 'note', /another build \(version 9, here 10\)/],
]

describe('what doctor says of', () => {
  for (const [name, cases, diagnose] of [
    ['Redis', REDIS, (over: object) => diagnoseRedis(redis(over))],
    ['Postgres', POSTGRES, (over: object) => diagnosePostgres(postgres(over))],
  ] as const) {
    it(`a sound ${name}: nothing to be mended`, () => {
      assert.deepEqual(
        diagnose({}).filter(({ verdict }) => verdict !== 'fine'),
        [],
      )
    })

    for (const [over, check, verdict, sentence] of cases) {
      it(`${name} with ${JSON.stringify(over)}: ${verdict}`, () => {
        const found = diagnose(over).find((each) => each.check === check)
        assert.equal(found?.verdict, verdict)
        assert.match(`${found?.says} ${found?.cure ?? ''}`, sentence)
        assert.equal(found?.cure !== null, verdict === 'problem', 'a problem has a cure, nothing else has')
      })
    }
  }
})
