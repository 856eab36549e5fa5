import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The rows of `test/vectors/<name>.json`: facts about other systems, kept in the source tree and not compiled. */
export function vectorRows<Row>(name: string): readonly Row[] {
  const text = readFileSync(join(repository(), 'test', 'vectors', `${name}.json`), 'utf8')
  return (JSON.parse(text) as { rows: Row[] }).rows
}

/** Compiled tests lie at different depths; the package is where its package.json is. */
function repository(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}
