import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Born, bornNow, lives, pidSpace } from './born.js'

export interface ProcessFolder {
  readonly path: string
  remove(): void
}

const NAME = /^beatlock-(?:feed|body)-([0-9a-z]+)\.([0-9a-z]+)\.([0-9a-z]+)-\w{6}$/
/** As long as a name can get: pids have 22 bits, start times are below 2^36 (21 years), spaces below 36^7. */
export const LONGEST_NAME = `beatlock-feed-${'x'.repeat(5)}.${'x'.repeat(7)}.${'x'.repeat(7)}-XXXXXX`

/**
 * A folder in `root` (default: the temp folder) that only its owner may enter. Its name says whose it is, so that one
 * which a SIGKILL left behind is removed by the next process of the same user that makes one.
 */
export function makeProcessFolder(kind: 'feed' | 'body', root = tmpdir()): ProcessFolder {
  sweepLeft(root)
  const { pid, start, space } = bornNow()
  const owner = [pid, start, space].map((each) => each.toString(36)).join('.')
  // mkdtemp makes it 0700.
  const path = mkdtempSync(join(root, `beatlock-${kind}-${owner}-`))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** What cannot be removed now is left to the next one. */
function sweepLeft(root: string): void {
  try {
    const space = pidSpace()
    for (const name of readdirSync(root)) {
      const born = ownerOf(name)
      if (!born || born.space !== space || lives(born) || !isOurs(join(root, name))) continue
      rmSync(join(root, name), { recursive: true, force: true })
    }
  } catch {
    // Another process sweeps the same folders.
  }
}

function ownerOf(name: string): Born | undefined {
  const [, pid, start, space] = (NAME.exec(name) ?? []).map((text) => Number.parseInt(text, 36))
  return pid && start !== undefined && space !== undefined ? { pid, start, space } : undefined
}

function isOurs(path: string): boolean {
  const found = lstatSync(path)
  return found.isDirectory() && found.uid === process.getuid?.()
}
