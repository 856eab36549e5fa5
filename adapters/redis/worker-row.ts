import type { Attendance, WorkerRow } from '../../src/lock/worker-row.js'
import { scriptOn } from './argument.js'
import type { Connection, Request } from './connection.js'
import { fieldsOf, numberOf } from './reply.js'
import { ATTENDANCE, LEAVE, SIGN_OF_LIFE, WORKERS } from './scripts/worker.js'
import { allShards, type Shard, shardOf } from './shard.js'

/** Workers and definitions of an app live together in one shard. */
export function directoryShard(app: string): Shard {
  return shardOf('lock', app, '')
}

/** The row is kept as the text that was sent; when it was seen, the server notes. */
export function signOfLife(app: string, row: WorkerRow): Request {
  return scriptOn(directoryShard(app), app, SIGN_OF_LIFE, [row.name, JSON.stringify({ ...row, app })])
}

export function leaving(app: string, worker: string): Request {
  return scriptOn(directoryShard(app), app, LEAVE, [worker])
}

export async function workerRows(connection: Connection, apps: readonly string[]): Promise<WorkerRow[]> {
  const replies = await connection.askAll(apps.map((app) => scriptOn(directoryShard(app), app, WORKERS, [])))
  return replies.flatMap((reply) => fieldsOf(reply).map(rowOf))
}

export async function attendanceOf(connection: Connection, app: string): Promise<Attendance> {
  const [now, flat] = fieldsOf(await connection.ask(scriptOn(directoryShard(app), app, ATTENDANCE, [])))
  const fields = fieldsOf(flat)
  const names = fields.filter((_, at) => at % 2 === 0)
  const workers = names.map((name, at) => ({ name: String(name), seenAt: numberOf(fields[2 * at + 1]) }))
  return { workers, now: numberOf(now) }
}

function rowOf(reply: unknown): WorkerRow {
  const [row, seenAt] = fieldsOf(reply)
  return { ...(JSON.parse(String(row)) as WorkerRow), seenAt: numberOf(seenAt) }
}

/** The names of all apps that keep locks or workers on this server, sorted: one round trip. */
export async function appsOf(connection: Connection): Promise<string[]> {
  const replies = await connection.askAll(
    allShards('lock', '').map(({ apps }) => ({ command: 'SMEMBERS', args: [apps] })),
  )
  return [...new Set(replies.flatMap((reply) => fieldsOf(reply).map(String)))].sort()
}
