import { type ChildProcess, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serverAccount } from '../../adapters/embedded/account.js'
import { DATABASE, ensureCluster, SUPERUSER } from '../../adapters/embedded/cluster.js'
import { findPrograms } from '../../adapters/embedded/native-tree.js'
import { type PostmasterOptions, spawnPostmaster } from '../../adapters/embedded/postmaster.js'
import { type Address, connect } from '../../adapters/embedded/session.js'
import { until } from './until.js'

/** A private Postgres of the test's own, in a temp folder and on a free port of the loopback. */
export interface PostgresServer {
  readonly url: string
  readonly connection: Address
  /** The same server by its Unix socket. */
  readonly socketConnection: Address
  /** Of the postmaster that runs now. */
  readonly pid: number
  /** Ends it and, but before a `restart`, removes nothing: its data stay until `remove`. */
  stop(mode?: 'smart' | 'fast' | 'immediate'): Promise<void>
  /** SIGKILL of the postmaster; its backends see that and end by themselves. */
  kill(): void
  /** Starts it again on the same data, address and port; stops it first where it runs. */
  restart(): Promise<void>
  /** Ends it and removes its folder. Call it in `after`. */
  remove(): Promise<void>
}

/** What a test did not remove: servers and folders. */
const leftovers = new Set<() => void>()
process.once('exit', () => {
  for (const remove of leftovers) remove()
})

const SIGNALS = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const

/**
 * Settings go over those of the embedded server; fsync is off unless asked for. `standbyOf`: begins as a copy of that server,
 * which must be stopped, and follows it where `primary_conninfo` leads.
 */
export async function startPostgres(
  options: { readonly settings?: Readonly<Record<string, string>>; readonly standbyOf?: PostgresServer } = {},
): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), 'beatlock-test-pg-'))
  const account = await serverAccount(folder)
  if (account) await chown(folder, account.uid, account.gid)
  if (options.standbyOf) copyCluster(options.standbyOf.socketConnection.host, folder)
  const programs = await findPrograms(account, folder)
  const { data, password } = await ensureCluster(folder, programs, account)
  const port = await freePort()
  const connection: Address = { host: '127.0.0.1', port, user: SUPERUSER, password, database: DATABASE }
  const postmaster: PostmasterOptions = {
    postgres: programs.postgres,
    data,
    account,
    port,
    socketDir: folder,
    listen: '127.0.0.1',
    logFile: join(folder, 'postgres.log'),
    settings: { fsync: 'off', ...options.settings },
  }
  let child = await running(postmaster, connection)

  const leftover = (): void => {
    child.kill('SIGQUIT')
    rmSync(folder, { recursive: true, force: true })
  }
  leftovers.add(leftover)

  const stop = async (mode: keyof typeof SIGNALS = 'fast') => {
    if (ended(child)) return
    const exit = once(child, 'exit')
    child.ref()
    child.kill(SIGNALS[mode])
    await exit
  }

  return {
    url: `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/${DATABASE}`,
    connection,
    socketConnection: { ...connection, host: folder },
    get pid() {
      return child.pid ?? 0
    },
    stop,
    kill: () => void child.kill('SIGKILL'),
    restart: async () => {
      await stop()
      child = await running(postmaster, connection)
    },
    remove: async () => {
      await stop('immediate')
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
      leftovers.delete(leftover)
    },
  }
}

/** With its owner and modes, on which Postgres insists. */
function copyCluster(from: string, to: string): void {
  const { status, stderr } = spawnSync('cp', ['-a', join(from, 'pg'), to], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  writeFileSync(join(to, 'pg', 'data', 'standby.signal'), '')
}

const ended = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

/** After a SIGKILL the old backends hold the shared memory for some ms more, and a new postmaster gives up: try again. */
async function running(options: PostmasterOptions, address: Address): Promise<ChildProcess> {
  let child = await spawnPostmaster(options)
  await until(
    async () => {
      if (ended(child)) child = await spawnPostmaster(options)
      const attempt = await connect(address, 'beatlock test')
      if (attempt.outcome !== 'connected') return false
      await attempt.client.end()
      return true
    },
    { what: `Postgres to accept connections, see ${options.logFile}`, everyMs: 20 },
  )
  return child
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
