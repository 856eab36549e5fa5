import { printable } from '../lock/printable.js'
import type { WorkerRow } from '../lock/worker-row.js'
import type { Target } from './target.js'

/** One queue: what lies in it, and the living workers that serve it. */
export interface QueueStatus {
  readonly app: string
  readonly name: string
  readonly waiting: number
  readonly delayed: number
  readonly active: number
  readonly workers: readonly string[]
}

export const QUEUES = ['QUEUE', 'APP', 'WAITING', 'DELAYED', 'ACTIVE', 'WORKERS']

/** Queues that are served, or that something lies in. `living`: the workers of these apps. */
export async function queuesOf(
  target: Target,
  { apps, living }: { readonly apps: readonly string[]; readonly living: readonly WorkerRow[] },
): Promise<QueueStatus[]> {
  const found = await Promise.all(apps.map((app) => queuesOfApp(target, app, living)))
  return found.flat()
}

async function queuesOfApp(target: Target, app: string, living: readonly WorkerRow[]): Promise<QueueStatus[]> {
  const { engine } = (await target.of(app).connection()).servers
  const own = living.filter((worker) => worker.app === app)
  const names = new Set([...(await engine.queues()), ...own.flatMap(({ queues }) => queues)])
  const statuses = await Promise.all(
    [...names].sort().map(async (name): Promise<QueueStatus> => {
      const workers = own.filter(({ queues }) => queues.includes(name)).map((worker) => worker.name)
      return { app, name, ...(await engine.counts(name)), workers }
    }),
  )
  return statuses.filter(({ waiting, delayed, active, workers }) => workers.length + waiting + delayed + active > 0)
}

export function queueCells({ app, name, waiting, delayed, active, workers }: QueueStatus): string[] {
  return [name, app, ...[waiting, delayed, active].map(String), workers.join(',') || 'nobody']
}

/** What an operator is to see though the tables are long. */
export function unservedText({ app, name, waiting, delayed }: QueueStatus): string {
  return printable(`no worker of app ${app} consumes ${name}: ${waiting} waiting, ${delayed} delayed.`)
}
