import { hash } from 'node:crypto'
import canonicalize from 'canonicalize'
import type { GuardDefinition } from '../lock/guard-definition.js'
import type { WorkerRow } from '../lock/worker-row.js'
import { WORKER_DEAD_MS } from './locks.js'

/** A task that live workers guard in different ways: as long as they do, the last that started speaks for publishers. */
export interface DifferingGuard {
  readonly app: string
  readonly task: string
  /** Names of the workers that know the task. */
  readonly workers: readonly string[]
}

/** What a worker's row says of its guards: a mark for each guarded task, the same where the definition is. */
export function guardMarks(definitions: Readonly<Record<string, GuardDefinition | null>>): Record<string, string> {
  const marks = Object.entries(definitions).map(([task, each]) => [task, each ? markOf(each) : 'none'] as const)
  return Object.fromEntries(marks)
}

function markOf(definition: GuardDefinition): string {
  return hash('sha256', canonicalize(definition) ?? '', 'hex').slice(0, 8)
}

/** Pure. `now`: by the clock that the rows were seen by. */
export function differingGuards(rows: readonly WorkerRow[], now: number): DifferingGuard[] {
  const live = rows.filter((row) => now - row.seenAt < WORKER_DEAD_MS)
  const knowing = new Map<string, WorkerRow[]>()
  for (const row of live) {
    for (const task of Object.keys(row.guards)) {
      const place = JSON.stringify([row.app, task])
      knowing.set(place, [...(knowing.get(place) ?? []), row])
    }
  }
  return [...knowing].flatMap(([place, workers]) => {
    const [app, task] = JSON.parse(place) as [string, string]
    const differ = new Set(workers.map(({ guards }) => guards[task])).size > 1
    return differ ? [{ app, task, workers: workers.map(({ name }) => name).sort() }] : []
  })
}
