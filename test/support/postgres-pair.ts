import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Client } from 'pg'
import { type PostgresServer, startPostgres } from './postgres-server.js'
import { until } from './until.js'

/** A primary and its standby by streaming replication, behind one address that leads to either. */
export interface PostgresPair {
  readonly primary: PostgresServer
  readonly standby: PostgresServer
  /** The address of both: at first the primary's. */
  readonly connection: PostgresServer['connection']
  readonly url: string
  /** Waits until the standby has all that the primary has. */
  caughtUp(): Promise<void>
  /** From now on the standby hears of nothing more. */
  cutStream(): Promise<void>
  /** Makes the standby a primary, and lets the address lead there; whoever is connected is cut off. */
  failOver(): Promise<void>
  remove(): Promise<void>
}

/** `sync`: a commit on the primary waits for the standby. */
export async function startPostgresPair(replication: 'async' | 'sync' = 'async'): Promise<PostgresPair> {
  const names = replication === 'sync' ? { synchronous_standby_names: '*' } : undefined
  const primary = await startPostgres()
  await primary.stop()
  const { port, user, password } = primary.connection
  const settings = {
    wal_retrieve_retry_interval: '100ms',
    // Asked for in this file, not on the command line, since it is to change.
    ...{ hot_standby: 'on', wal_receiver_status_interval: '100ms' },
  }
  const standby = await startPostgres({ standbyOf: primary, settings })
  await primary.restart()
  await ask(
    standby,
    `alter system set primary_conninfo = 'host=127.0.0.1 port=${port} user=${user} password=${password}'`,
  )
  await ask(standby, 'select pg_reload_conf()')
  const streams = () => ask(standby, "select 1 from pg_stat_wal_receiver where status = 'streaming'")
  await until(async () => (await streams()).length > 0, { what: 'the standby to follow' })
  if (names) {
    await ask(primary, `alter system set synchronous_standby_names = '${names.synchronous_standby_names}'`)
    await ask(primary, 'select pg_reload_conf()')
    const isSync = () => ask(primary, "select 1 from pg_stat_replication where sync_state = 'sync'")
    await until(async () => (await isSync()).length > 0, { what: 'the standby to count' })
  }
  const gate = await openGate(primary.connection.port)
  return {
    primary,
    standby,
    connection: { ...primary.connection, port: gate.port },
    url: primary.url.replace(`:${port}/`, `:${gate.port}/`),
    async caughtUp() {
      const [row] = await ask(primary, 'select pg_current_wal_lsn()::text as lsn')
      const reached = `select pg_last_wal_replay_lsn() >= '${row?.['lsn']}'::pg_lsn as reached`
      await until(async () => (await ask(standby, reached))[0]?.['reached'], { what: 'the standby to have all' })
    },
    async cutStream() {
      await ask(standby, "alter system set primary_conninfo = ''")
      await ask(standby, 'select pg_reload_conf()')
      await until(async () => (await ask(standby, 'select 1 from pg_stat_wal_receiver')).length === 0, {
        what: 'the standby to hear nothing more',
      })
    },
    async failOver() {
      await ask(standby, 'select case when pg_is_in_recovery() then pg_promote() end')
      gate.leadTo(standby.connection.port)
    },
    async remove() {
      await gate.close()
      await standby.remove()
      await primary.remove()
    },
  }
}

async function ask(server: PostgresServer, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client(server.connection)
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

/** A port that leads to another, which may change. */
async function openGate(first: number) {
  let target = first
  const sockets = new Set<Socket>()
  const gate = createServer((client) => {
    const server = connect({ host: '127.0.0.1', port: target })
    for (const [one, other] of [[client, server] as const, [server, client] as const]) {
      sockets.add(one)
      one.on('error', () => {}).on('close', () => other.destroy())
      one.once('close', () => sockets.delete(one))
      one.pipe(other)
    }
  }).listen(0, '127.0.0.1')
  await once(gate, 'listening')
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: (gate.address() as AddressInfo).port,
    leadTo(port: number) {
      target = port
      cut()
    },
    async close() {
      cut()
      gate.close()
      await once(gate, 'close')
    },
  }
}
