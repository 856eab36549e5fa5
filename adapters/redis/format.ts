import { UsageError } from '../../src/lock/error.js'
import { packageVersion } from '../../src/lock/version.js'
import type { Connection, RedisOptions } from './connection.js'
import { openConnection } from './open-connection.js'
import { FORMAT } from './scripts/format.js'
import { type Room, shardOf } from './shard.js'

/** What one version of this package stores. */
export interface Format {
  /** Of this package, as shown to people. */
  readonly by: string
  readonly version: number
  /**
   * The oldest version whose processes may work beside what this one stores. A version that stores what an older one would
   * lose, as a value more in a hold, raises it, and writes that version into what it stores (see `unpacked` in scripts/record.ts).
   */
  readonly servesFrom: number
}

const OURS: Format = { by: packageVersion(), version: 1, servesFrom: 1 }

/** A connection to data that we can work with. @throws what opening throws, and as checkFormat; then it is closed */
export async function openFormat(options: RedisOptions, room: Room): Promise<Connection> {
  const connection = await openConnection(options)
  try {
    await checkFormat(connection, { app: options.app, room })
    return connection
  } catch (error) {
    await connection.close()
    throw error
  }
}

/**
 * Notes which version stores an app's data, once for the newest, and looks whether that one serves ours: one round trip.
 *
 * @throws UsageError where a newer version has stored what we cannot work with; nothing is changed then.
 */
export async function checkFormat(
  connection: Connection,
  { app, room, ours = OURS }: { readonly app: string; readonly room: Room; readonly ours?: Format },
): Promise<void> {
  const { base } = shardOf(room, app, '')
  const { version, servesFrom, by } = ours
  const args = [String(version), String(servesFrom), by]
  const found = (await connection.ask({ script: FORMAT, keys: [`${base}format`], args })) as string[]
  const [theirs, serves, name] = found
  if (theirs === undefined || Number(serves) <= version) return
  throw new UsageError(
    `${connection.server} holds data of app '${app}' that beatlock ${name} stored as version ${theirs}, for version ` +
      `${serves} and later; this is beatlock ${by}, which knows version ${version}: upgrade beatlock here, or name ` +
      'another server. Nothing was changed.',
  )
}
