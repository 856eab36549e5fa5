import { Pool, type PoolClient } from 'pg'
import { failureOf, publicError } from './failure.js'
import { askerOf, clientConfig, DEFAULT_SCHEMA, type PostgresOptions, quotedSchema } from './options.js'
import { ensureSchema } from './schema.js'

const CONNECT_MS = 5_000
/** Above the functions' lock_timeout, so that a busy key is the server's answer and silence is a lost connection. */
const QUERY_MS = 5_000
const IDLE_MS = 30_000

/** A bounded pool of connections on which every statement may be repeated. */
export interface Database {
  /** The schema's quoted name. */
  readonly schema: string
  /** Its plain name, and the id that tells it from any other of that name. */
  readonly space: { readonly schema: string; readonly id: string }
  /** Connections at most. */
  readonly size: number
  /** One statement, one round trip. @throws StoreUnavailable, UsageError */
  run<Row>(sql: string, values: readonly unknown[]): Promise<Row[]>
  /** Calls one of our functions and gives its JSON answer. */
  call<Answer>(name: string, values: readonly unknown[]): Promise<Answer>
  /** A connection of the pool for longer than a statement; whoever takes it releases it before `close`. */
  lend(): Promise<PoolClient>
  close(): Promise<void>
}

/** Connects once, sets up the schema where it is missing, and keeps what follows in a pool. */
export async function openDatabase(options: PostgresOptions): Promise<Database> {
  const schema = quotedSchema(options.schema)
  const pool = openPool(options)
  let id: string
  try {
    id = await lending(await pool.connect(), (client) => ensureSchema(client, schema, options.server))
  } catch (error) {
    await pool.end()
    throw publicError(options.server, error, askerOf(options))
  }
  const run = async <Row>(sql: string, values: readonly unknown[]): Promise<Row[]> => {
    try {
      return (await repeatable(pool, sql, values)) as Row[]
    } catch (error) {
      throw publicError(options.server, error, askerOf(options))
    }
  }
  let closing: Promise<void> | undefined
  return {
    schema,
    space: { schema: options.schema ?? DEFAULT_SCHEMA, id },
    size: pool.options.max,
    run,
    lend: () => pool.connect(),
    call: async <Answer>(name: string, values: readonly unknown[]) => {
      const places = values.map((_, at) => `$${at + 1}`).join(', ')
      const [row] = await run<{ answer: Answer }>(`select ${schema}.${name}(${places}) as answer`, values)
      return (row as { answer: Answer }).answer
    },
    close: () => {
      closing ??= pool.end()
      return closing
    },
  }
}

function openPool(options: PostgresOptions): Pool {
  const pool = new Pool({
    ...clientConfig(options, CONNECT_MS, QUERY_MS),
    max: options.poolSize ?? 4,
    idleTimeoutMillis: IDLE_MS,
    allowExitOnIdle: true,
  })
  // A lost connection is heard of by the statement that needed it.
  const ignore = () => {}
  pool.on('error', ignore)
  pool.on('connect', (client) => client.on('error', ignore))
  return pool
}

/**
 * A statement that was undone is sent up to three times more, one whose reply got lost once more: every
 * verb gives the same answer to the same question. After a lost reply only a new connection is trusted. Where no connection can be had
 * nothing was sent, and nothing is repeated.
 */
async function repeatable(pool: Pool, sql: string, values: readonly unknown[]): Promise<unknown[]> {
  const send = async (client: PoolClient) => (await client.query(sql, [...values])).rows as unknown[]
  const first = await pool.connect()
  try {
    return await lending(first, send)
  } catch (error) {
    const failure = failureOf(error)
    if (failure === 'disconnected') return await lending(await newConnection(pool), send)
    if (failure === 'undone') return await again(pool, send, UNDONE_REPEATS)
    throw error
  }
}

/** Whoever was waited for may wait again: a few times, then it is the caller's to know. */
async function again(pool: Pool, send: (client: PoolClient) => Promise<unknown[]>, times: number): Promise<unknown[]> {
  try {
    return await lending(await pool.connect(), send)
  } catch (error) {
    if (failureOf(error) !== 'undone' || times <= 1) throw error
    return again(pool, send, times - 1)
  }
}

const UNDONE_REPEATS = 3

const used = new WeakSet<PoolClient>()

/** Gives the connection back afterwards, or away where it broke. */
async function lending<T>(client: PoolClient, work: (client: PoolClient) => Promise<T>): Promise<T> {
  let broken = false
  try {
    return await work(client)
  } catch (error) {
    broken = failureOf(error) === 'disconnected'
    throw error
  } finally {
    used.add(client)
    client.release(broken)
  }
}

/** Idle connections are thrown away: what broke one has probably broken them all. */
async function newConnection(pool: Pool): Promise<PoolClient> {
  for (;;) {
    const client = await pool.connect()
    if (!used.has(client)) return client
    client.release(true)
  }
}
