import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's folder, found from wherever the compiled tests are. */
export const root = upTo('package.json', dirname(fileURLToPath(import.meta.url)))

/** One module of the demonstration: plain JavaScript beside the compiled tests. */
export async function demo<Module>(name: string): Promise<Module> {
  return (await import(join(root, 'examples/log-rollup', name))) as Module
}

export interface Commit {
  readonly id: string
  readonly from: number
  readonly to: number
  readonly lines: number
}

export type Counts = Record<string, number>

export interface Totals {
  readonly offset: number
  readonly counts: Counts
  readonly commits: readonly Commit[]
}

export interface BodyRecord {
  readonly event: 'start' | 'end' | 'killed'
  readonly id: string
  readonly attempt: number
  readonly pid: number
  readonly token: number | null
  readonly key: string | null
  readonly ns: string
}

function upTo(file: string, folder: string): string {
  return existsSync(join(folder, file)) ? folder : upTo(file, dirname(folder))
}
