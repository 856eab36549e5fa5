import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { StoreUnavailable, UsageError } from '../../src/lock/error.js'
import { type Cluster, DATABASE, ensureCluster, findCluster, SUPERUSER } from './cluster.js'
import { findPrograms } from './native-tree.js'
import { checkPlace, makePlace, type Place } from './place.js'
import { logTail, spawnPostmaster } from './postmaster.js'
import { type Address, type Attempt, connect, failed } from './session.js'

/** A session that counts as a user of the server for as long as it lives. */
export interface Attendance {
  readonly client: pg.Client
  readonly address: Address
  readonly outcome: 'started' | 'adopted'
}

export interface AttendOptions {
  readonly place: Place
  /** As the caller wrote it, for messages. */
  readonly dir: string
  readonly mayStart: boolean
  readonly signal: AbortSignal
  /** Whether waiting keeps the process alive. */
  readonly ref: boolean
}

/** Every user of a server holds it shared; who gets it alone is the last. Of the one-argument key space. */
export const PRESENCE_LOCK = '0x626c656d626564'

const PORT = 5432
const GIVE_UP_MS = 30_000
const MAX_STARTS = 40
const FIRST_PAUSE_MS = 15
const LONGEST_PAUSE_MS = 200

/**
 * Enters the server of a place, starting it where nobody listens. Any number of processes may do so at once: the one
 * whose postmaster got the data's lock file has started it, the postmasters of the others end and they adopt.
 *
 * @throws UsageError where none runs and none may be started; StoreUnavailable where it does not come up.
 */
export async function attend(options: AttendOptions): Promise<Attendance> {
  const { place, signal, ref } = options
  const starter = new Starter(place)
  const cluster = await findOrMake(options, starter)
  // The server's time to come up; to make its cluster first may take long on a busy machine.
  const giveUpAt = performance.now() + GIVE_UP_MS
  const address: Address = {
    host: place.socketDir,
    port: PORT,
    user: SUPERUSER,
    password: cluster.password,
    database: DATABASE,
  }
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    // Once we have started one we go through with it: else nobody would stop it.
    if (starter.starts === 0) signal.throwIfAborted()
    const attempt = await enter(address)
    if (attempt.outcome === 'connected') {
      const { client, pid } = attempt
      return { client, address, outcome: pid === starter.pid ? 'started' : 'adopted' }
    }
    if (attempt.outcome === 'nobody') {
      if (!options.mayStart) throw noneRunning(options.dir)
      await starter.start()
    }
    if (performance.now() > giveUpAt || starter.starts > MAX_STARTS) throw await notUp(place, attempt.error)
    await sleep(pauseMs, undefined, { ref })
  }
}

/** The process id of the postmaster that serves a session. */
export async function serverPid(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>(
    `select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int as pid`,
  )
  return rows[0]?.pid ?? 0
}

async function findOrMake({ place, dir, mayStart }: AttendOptions, starter: Starter): Promise<Cluster> {
  if (mayStart) await makePlace(place)
  const found = (await checkPlace(place)) === 'there' ? await findCluster(place.folder) : undefined
  if (found) return found
  if (!mayStart) throw noneRunning(dir)
  return starter.cluster()
}

type Entry = Exclude<Attempt, { outcome: 'connected' }> | (Extract<Attempt, { outcome: 'connected' }> & { pid: number })

/** Waits behind a leaver that holds the lock alone: its server is about to end, and this session with it. */
async function enter(address: Address): Promise<Entry> {
  const attempt = await connect(address, 'beatlock embedded')
  if (attempt.outcome !== 'connected') return attempt
  try {
    await attempt.client.query(`select pg_advisory_lock_shared(${PRESENCE_LOCK})`)
    return { ...attempt, pid: await serverPid(attempt.client) }
  } catch (error) {
    await attempt.client.end().catch(() => {})
    return failed(error)
  }
}

/** Starts postmasters, one at a time; looks for the programs only when it comes to that. */
class Starter {
  readonly #place: Place
  #child: ChildProcess | undefined
  starts = 0

  constructor(place: Place) {
    this.#place = place
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  async cluster(): Promise<Cluster> {
    return ensureCluster(this.#place.folder, await this.#programs(), this.#place.account)
  }

  async start(): Promise<void> {
    const child = this.#child
    if (child && child.exitCode === null && child.signalCode === null) return
    const { folder, socketDir, account } = this.#place
    await makePlace(this.#place)
    const { data } = await this.cluster()
    const { postgres } = await this.#programs()
    const logFile = join(folder, 'postgres.log')
    this.#child = await spawnPostmaster({ postgres, data, socketDir, port: PORT, logFile, account })
    this.starts += 1
  }

  #programs() {
    return findPrograms(this.#place.account, this.#place.folder)
  }
}

const noneRunning = (dir: string) =>
  new UsageError(`no embedded server is running in ${dir}: start a worker or beat, or name a server with --broker`)

async function notUp({ folder }: Place, cause: Error): Promise<StoreUnavailable> {
  const tail = await logTail(join(folder, 'postgres.log'))
  return new StoreUnavailable(
    folder,
    `the embedded server did not come up (${cause.message}); its log ends: ${tail}`,
    cause,
  )
}
