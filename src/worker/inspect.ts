import { hostname } from 'node:os'
import { packageVersion } from '../lock/version.js'
import type { App } from '../task-base/app.js'
import { attemptOf } from '../task-base/body.js'
import type { Connection } from '../task-base/connection.js'
import { decodeMessage, type Message } from '../task-base/message.js'
import type {
  ActiveRun,
  Inspection,
  ReservedMessage,
  ScheduledMessage,
  WorkerStats,
} from '../task-base/worker-command.js'
import type { Pool } from './pool.js'
import type { UnderWay } from './under-way.js'

/** What a worker tells of itself. */
export interface Inspected {
  readonly app: Pick<App, 'tasks' | 'counters'>
  readonly connection: Pick<Connection, 'servers' | 'now'>
  readonly pool: Pool
  readonly underWay: UnderWay
  readonly kind: 'prefork' | 'solo'
  readonly barrier: string
  readonly startedAt: number
  /** As they are now. */
  readonly serves: () => { readonly queues: readonly string[]; readonly concurrency: number }
}

/** Longer arguments are left out of answers. */
const ARGS_BYTES = 1_000
const SCHEDULED = 100

/** Answers a question; lists hold what is best known first. */
export async function inspect(of: Inspected, what: Inspection): Promise<unknown> {
  switch (what) {
    case 'active':
      return activeRuns(of)
    case 'reserved':
      return reservedMessages(of)
    case 'scheduled':
      return scheduledMessages(of)
    case 'registered':
      return [...of.app.tasks.keys()].sort()
    case 'stats':
      return stats(of)
    case 'ping':
      return 'pong'
  }
}

function activeRuns({ app, connection, pool, underWay }: Inspected): ActiveRun[] {
  const now = connection.now()
  const runs = pool.children().flatMap(({ pid, runId }) => {
    const given = runId === null ? undefined : underWay.given(runId)
    if (!given) return []
    const { body, givenAt } = given
    const { token } = body
    const run = { attempt: attemptOf(body), token, pid, since: iso(givenAt), runningMs: Math.round(now - givenAt) }
    return [{ ...shown(app, decodeMessage(body.message)), ...run }]
  })
  return runs.sort((a, b) => b.runningMs - a.runningMs)
}

function reservedMessages(of: Inspected): ReservedMessage[] {
  const running = new Set(activeRuns(of).map(({ id }) => id))
  return of.underWay
    .taken()
    .filter(({ message }) => !running.has(message.id))
    .sort((a, b) => a.takenAt - b.takenAt)
    .map(({ message, takenAt }) => ({ ...shown(of.app, message), since: iso(takenAt) }))
}

async function scheduledMessages({ app, connection, serves }: Inspected): Promise<ScheduledMessage[]> {
  const { engine } = connection.servers
  const queues = await Promise.all(serves().queues.map((queue) => engine.delayed(queue, SCHEDULED)))
  return queues.flat().map((message) => ({
    ...shown(app, message),
    eta: message.notBefore === null ? null : iso(message.notBefore),
  }))
}

function stats(of: Inspected): WorkerStats {
  const { app, connection, pool, underWay, kind, barrier, startedAt, serves } = of
  const { broker, locks } = connection.servers
  const children = pool.children()
  const running = children.filter(({ runId }) => runId !== null).length
  return {
    host: hostname(),
    pid: process.pid,
    version: packageVersion(),
    node: process.version,
    startedAt: iso(startedAt),
    uptimeMs: Math.round(process.uptime() * 1_000),
    pool: kind,
    ...serves(),
    running,
    reserved: Math.max(0, underWay.count - running),
    processes: children.map(({ pid }) => pid),
    memory: process.memoryUsage.rss(),
    broker,
    locks,
    barrier,
    counters: app.counters(),
  }
}

/** What anybody may see of a message. Of a task that is not known here it is not known whether it hides its arguments. */
function shown(app: Inspected['app'], { id, task, args, queue, lock }: Message): Omit<ReservedMessage, 'since'> {
  const known = app.tasks.get(task)
  const hidden = known ? known.guard?.redact === true : lock.guarded || !lock.known
  const large = Buffer.byteLength(JSON.stringify(args)) > ARGS_BYTES
  return { id, task, label: lock.label, args: hidden || large ? null : args, queue }
}

function iso(at: number): string {
  return new Date(at).toISOString()
}
