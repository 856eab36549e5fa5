import { hostname } from 'node:os'
import type { WorkerRow } from '../lock/lock-store.js'
import { packageVersion } from '../lock/version.js'
import { guardMarks } from '../task-base/differing-guard.js'
import type { WorkerOptions } from './worker.js'

/** What others see of a worker that starts now. */
export function rowOf({ app, name, queues, concurrency }: WorkerOptions): WorkerRow {
  return {
    app: app.name,
    name,
    host: hostname(),
    pid: process.pid,
    queues,
    tasks: [...app.tasks.keys()],
    guards: guardMarks(app.guardDefinitions()),
    version: packageVersion(),
    concurrency,
    startedAt: Date.now(),
    seenAt: 0,
  }
}
