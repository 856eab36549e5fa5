// `npm run bench [words]`: figures of this machine, beside others in the same run. Words choose lines: `redis-pair publish`.
import { openLockStore as openOnPostgres } from '../adapters/postgres/index.js'
import { openLockStore as openOnRedis } from '../adapters/redis/index.js'
import type { LockStore } from '../src/lock/lock-store.js'
import { startPostgres } from '../test/support/postgres-server.js'
import { startRedis } from '../test/support/redis-server.js'
import { freedAfterKill } from './freed.js'
import { importTime } from './import-time.js'
import type { Line } from './line.js'
import { listAll } from './list.js'
import { postgresPair } from './postgres-pair.js'
import { preforkHop } from './prefork-hop.js'
import { guardedPublish } from './publish.js'
import { redisPair } from './redis-pair.js'
import { renewThousand } from './renew.js'
import { timetables } from './timetable.js'
import { guardTrips } from './trips.js'
import { workerSpeed } from './worker-speed.js'

const redis = await startRedis()
const postgres = await startPostgres()

/** Both lock stores, each in an app of its own that is forgotten after it. */
async function onBoth(measure: (store: LockStore, name: string) => Promise<Line | Line[]>): Promise<Line[]> {
  const app = 'bench-store'
  const stores = {
    Redis: await openOnRedis({ app, url: redis.url, server: 'here' }),
    Postgres: await openOnPostgres({ app, connection: postgres.connection, server: 'here' }),
  }
  const lines: Line[] = []
  for (const [name, store] of Object.entries(stores)) {
    lines.push(...[await measure(store, name)].flat())
    await store.destroy()
    await store.close()
  }
  return lines
}

const LINES: Readonly<Record<string, () => Promise<Line | Line[]>>> = {
  import: importTime,
  'redis-pair': () => redisPair(redis),
  'postgres-pair': () => postgresPair(postgres),
  publish: () => guardedPublish(redis),
  renew: () => onBoth(renewThousand),
  hop: preforkHop,
  worker: () => workerSpeed(redis),
  trips: () => guardTrips(redis),
  freed: async () => [await freedAfterKill(redis, 'Redis'), await freedAfterKill(postgres, 'Postgres')],
  list: () => onBoth(listAll),
  beat: () => timetables(redis, postgres),
}

const chosen = process.argv.slice(2)
const unknown = chosen.filter((name) => !(name in LINES))
try {
  if (unknown.length > 0) throw new Error(`no line ${unknown.join(', ')}; there are: ${Object.keys(LINES).join(', ')}.`)
  const table: Line[] = []
  for (const [name, measure] of Object.entries(LINES)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue
    console.error(`measuring ${name} …`)
    table.push(...[await measure()].flat())
  }
  console.table(Object.fromEntries(table.map(({ what, ...figures }) => [what, figures])))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
} finally {
  await redis.stop()
  await postgres.remove()
}
