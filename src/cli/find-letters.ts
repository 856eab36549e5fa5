import type { DeadLetterInfo } from '../task-base/dead-letters.js'
import { rowsMatching } from './key-pattern.js'
import type { Target } from './target.js'

/** The letters that ID names: by id, label, a beginning of the id, or a pattern. @throws UsageError where several fit. */
export async function findLetters(target: Target, pattern: string): Promise<readonly DeadLetterInfo[]> {
  const letters = await target.app.deadLetters.list({ allApps: target.scope === 'server' })
  const named = letters.map((letter) => ({ app: letter.app, key: letter.id, label: letter.label, letter }))
  return rowsMatching(pattern, named).map(({ letter }) => letter)
}
