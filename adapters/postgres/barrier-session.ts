import { Client } from 'pg'
import { UsageError } from '../../src/lock/error.js'
import { codeOf } from './failure.js'
import { clientConfig, type PostgresOptions } from './options.js'

const CONNECT_MS = 3_000
const QUERY_MS = 5_000

/** Both ends hear within some 10 s that the other is gone, and a backend stops a statement nobody waits for. */
const KEEPALIVE = [
  ...['-c tcp_keepalives_idle=5', '-c tcp_keepalives_interval=2', '-c tcp_keepalives_count=2'],
  ...['-c tcp_user_timeout=8000', '-c client_connection_check_interval=2000'],
].join(' ')

/** Names one backend for good: process ids are used again. */
export interface Backend {
  readonly pid: number
  readonly startedAt: string
}

/** One dedicated connection, whose life is the life of the advisory locks taken on it. */
export interface BarrierSession {
  readonly client: Client
  readonly backend: Backend
  /** One statement after the other, in the order asked: many runs share the connection, and `pg` gives its own queue up. */
  ask(sql: string, values: readonly unknown[]): Promise<Record<string, unknown>[]>
}

/** @throws UsageError behind a pooler, where a session belongs to nobody; else whatever the connection throws. */
export async function openSession(options: PostgresOptions, onEnd: () => void): Promise<BarrierSession> {
  const client = await connected(options)
  try {
    const { rows } = await client.query(
      'select pid, extract(epoch from backend_start)::text as "startedAt" from pg_stat_activity where pid = pg_backend_pid()',
    )
    const backend = rows[0] as Backend | undefined
    if (!backend || processIdOf(client) !== backend.pid) throw behindPooler(options.server)
    client.once('end', onEnd)
    return { client, backend, ask: inTurn(client) }
  } catch (error) {
    cut(client)
    throw error
  }
}

function inTurn(client: Client): BarrierSession['ask'] {
  let before: Promise<unknown> = Promise.resolve()
  return async (sql, values) => {
    const asked = before.then(() => client.query(sql, [...values]))
    before = asked.catch(() => {})
    return (await asked).rows as Record<string, unknown>[]
  }
}

async function connected(options: PostgresOptions): Promise<Client> {
  try {
    return await connect(options, KEEPALIVE)
  } catch (error) {
    const code = codeOf(error)
    if (code === '08P01') throw behindPooler(options.server, error)
    // A server whose system lacks one of the settings does with its own.
    if (code === '22023') return await connect(options, '')
    throw error
  }
}

async function connect(options: PostgresOptions, settings: string): Promise<Client> {
  const client = new Client({ ...clientConfig(options, CONNECT_MS, QUERY_MS), options: settings })
  // Told by 'end', which follows each of them.
  client.on('error', () => {})
  try {
    await client.connect()
    return client
  } catch (error) {
    cut(client)
    throw error
  }
}

/** Ends the connection without waiting for the server, which then ends the session and frees its locks. */
export function cut(client: Client): void {
  const { connection } = client as unknown as { connection?: { stream?: { destroy(): void } } }
  connection?.stream?.destroy()
}

/** Not in pg's types: the process id that the server gave this client in the handshake. */
function processIdOf(client: Client): number | undefined {
  return (client as unknown as { processID?: number }).processID
}

function behindPooler(server: string, cause?: unknown): UsageError {
  return new UsageError(
    `${server} is reached through a connection pooler, where a session lock belongs to nobody: give the locks a direct ` +
      "URL (locks.url), or write barrier: 'none'.",
    { cause },
  )
}
