import {
  assertSchemaCompatibility,
  createPostgresBackend,
  LATEST_SCHEMA_VERSION,
  Queue,
  runMigrations,
  SchemaMigrationRequiredError,
} from 'bullmq'
import pg from 'pg'
import { UsageError } from '../../src/lock/error.js'
import { addingTogether } from './adding.js'
import { type Backend, COMMAND_TIMEOUT_MS, JOB_OPTIONS, READY_MS } from './backend.js'
import { postgresQueue } from './names.js'

export interface PostgresPlace {
  readonly host: string
  readonly port: number
  readonly user?: string | undefined
  readonly password?: string | undefined
  readonly database: string
  /** As `pg` takes it. */
  readonly ssl?: false | object
}

export interface PostgresOptions {
  readonly connection: PostgresPlace
  /** What an administrator has to mend, for errors that nothing else helps; told the schema that it is about. */
  readonly cureOf?: (error: unknown, schema: string) => string | undefined
}

const SCHEMA = 'bullmq'
/** Of a consumer, beside the one on which each of its queues is listened to. */
const OTHER_CLIENTS = 4

/** BullMQ on its native Postgres backend: one bounded pool publishes, one more a consumer. */
export function postgresBackend(
  of: PostgresOptions & { readonly app: string; readonly trouble: (error: Error) => void },
): Backend {
  const { app, connection, trouble, cureOf } = of
  const publishing = open(connection, { max: 4, query_timeout: COMMAND_TIMEOUT_MS }, trouble)
  let migrated: Promise<void> | undefined
  return {
    over: 'plain',
    cureOf: (error) => cureOf?.(error, SCHEMA),
    queueName: (queue) => postgresQueue(app, queue),
    openQueue(name) {
      // Its types describe the pool by hand, and pg's own does not fit them; the same below.
      const queue = new Queue(
        name,
        { connection: publishing as never, defaultJobOptions: JOB_OPTIONS },
        createPostgresBackend,
      )
      queue.on('error', trouble)
      // Whoever publishes uses what queues of both backends have.
      return queue as unknown as Queue
    },
    adding: addingTogether,
    openConsumer(queues) {
      // Each worker listens on a client of its own out of this pool.
      const consuming = open(connection, { max: queues + OTHER_CLIENTS }, trouble)
      return {
        options: { connection: consuming as never },
        factory: createPostgresBackend,
        makeRoom(more) {
          consuming.options.max = Math.max(consuming.options.max, more + OTHER_CLIENTS)
        },
        // Until the next delayed job is due that is a timer, of up to an hour.
        endWait: (worker) => void worker.backend.disconnectBlocking(false).catch(trouble),
        close: () => consuming.end(),
      }
    },
    async queues() {
      const own = postgresQueue(app, '')
      const { rows } = await publishing.query(
        `select distinct queue from ${SCHEMA}.meta where left(queue, length($1)) = $1`,
        [own],
      )
      const names = (rows as { queue: string }[]).map(({ queue }) => queue.slice(own.length))
      // The others are of an app whose name begins as this one's does.
      return names.filter((name) => !name.startsWith('.'))
    },
    async ready() {
      migrated ??= migrate(publishing).catch((error: unknown) => {
        migrated = undefined
        throw error
      })
      await migrated
    },
    close: () => publishing.end(),
  }
}

function open(place: PostgresPlace, options: pg.PoolConfig, trouble: (error: Error) => void): pg.Pool {
  const pool = new pg.Pool({
    ...place,
    ...options,
    options: `-c search_path=${SCHEMA}`,
    application_name: 'beatlock',
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    connectionTimeoutMillis: READY_MS,
    idleTimeoutMillis: 30_000,
  } as pg.PoolConfig)
  pool.on('error', trouble)
  return pool
}

/**
 * Safe for any number of processes at once: BullMQ takes an advisory lock. Looked at first, since who may only use the
 * schema is denied to ask for it.
 */
async function migrate(pool: pg.Pool): Promise<void> {
  const client = await pool.connect()
  try {
    if ((await versionOf(client)) < LATEST_SCHEMA_VERSION) await runMigrations(client, SCHEMA)
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== '42501' || / for (schema|table) /.test((cause as Error).message))
      throw cause
    const cure = "run any beatlock command once as the role that owns it (the README's roles)"
    throw new UsageError(`this role may not set up schema ${SCHEMA}, nor bring it up to date: ${cure}.`, { cause })
  } finally {
    client.release()
  }
}

/** 0: nothing is set up yet. */
async function versionOf(client: pg.PoolClient): Promise<number> {
  try {
    return await assertSchemaCompatibility(client, SCHEMA)
  } catch (error) {
    if (error instanceof SchemaMigrationRequiredError) return 0
    throw error
  }
}
