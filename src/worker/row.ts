import { hostname } from 'node:os'
import { packageVersion } from '../lock/version.js'
import type { WorkerRow } from '../lock/worker-row.js'
import type { App } from '../task-base/app.js'
import { guardMarks } from '../task-base/differing-guard.js'

/** What others see of a worker, as it is now. */
export interface OwnRow {
  readonly now: WorkerRow
  /** Tells others too. */
  change(how: Partial<Pick<WorkerRow, 'queues' | 'concurrency'>>): void
}

export function ownRow(first: WorkerRow, tell: (row: WorkerRow) => void): OwnRow {
  let row = first
  return {
    get now() {
      return row
    },
    change(how) {
      row = { ...row, ...how }
      tell(row)
    },
  }
}

/** What others see of a worker that starts now. */
export function rowOf(of: {
  readonly app: App
  readonly name: string
  readonly queues: readonly string[]
  readonly concurrency: number
}): WorkerRow {
  const { app, name, queues, concurrency } = of
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
