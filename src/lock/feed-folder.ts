import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { UsageError } from './error.js'

/** A Unix socket's path is cut off silently beyond some 104 bytes (macOS) or 108 (Linux). */
const LONGEST_PATH = 100
const SAMPLE = '/beatlock-feed-XXXXXX/feed'

/** A folder that only its owner may enter, short enough for a socket in it. */
export function makeFeedFolder(): { path: string; remove(): void } {
  const root = [tmpdir(), '/tmp'].find((each) => Buffer.byteLength(each + SAMPLE) <= LONGEST_PATH)
  if (root === undefined) throw new UsageError(`the temp folder's path is too long for a socket: ${tmpdir()}`)
  // mkdtemp makes it 0700.
  const folder = mkdtempSync(join(root, 'beatlock-feed-'))
  return { path: join(folder, 'feed'), remove: () => rmSync(folder, { recursive: true, force: true }) }
}
