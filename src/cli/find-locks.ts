import type { LockInfo } from '../task-base/locks.js'
import { isPattern, rowsMatching } from './key-pattern.js'
import { lockRows } from './lock-rows.js'
import type { Target } from './target.js'

/** One key of one app, with the rows of its holders. */
export interface FoundLock {
  readonly app: string
  readonly key: string
  readonly label: string
  readonly rows: readonly LockInfo[]
}

/** The locks that KEY names. @throws UsageError for text without a wildcard that fits several. */
export async function findLocks(target: Target, pattern: string): Promise<readonly FoundLock[]> {
  const found = new Map<string, FoundLock & { rows: LockInfo[] }>()
  for (const row of rowsMatching(pattern, await candidates(target, pattern))) {
    const name = `${row.app}\n${row.key}`
    const { app, key, label } = row
    const lock = found.get(name) ?? { app, key, label, rows: [] }
    lock.rows.push(row)
    found.set(name, lock)
  }
  return [...found.values()]
}

/** Of a long list only what may be meant is kept. */
async function candidates(target: Target, pattern: string): Promise<LockInfo[]> {
  const kept: LockInfo[] = []
  for await (const row of lockRows(target, {})) {
    const near = isPattern(pattern) ? rowsMatching(pattern, [row]).length > 0 : isNear(pattern, row)
    if (near) kept.push(row)
  }
  return kept
}

function isNear(pattern: string, { key, label }: LockInfo): boolean {
  return key.startsWith(pattern) || label === pattern
}
