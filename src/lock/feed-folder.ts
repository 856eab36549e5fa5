import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { UsageError } from './error.js'
import { LONGEST_NAME, makeProcessFolder, type ProcessFolder } from './process-folder.js'

/** A Unix socket's path is cut off silently beyond some 104 bytes (macOS) or 108 (Linux). */
const LONGEST_PATH = 100
const SAMPLE = `/${LONGEST_NAME}/feed`

/** Where a feed's socket can be: in a folder that only its owner may enter, under a path that is short enough. */
export function makeFeedFolder(): ProcessFolder {
  const root = [tmpdir(), '/tmp'].find((each) => Buffer.byteLength(each + SAMPLE) <= LONGEST_PATH)
  if (root === undefined) throw new UsageError(`the temp folder's path is too long for a socket: ${tmpdir()}`)
  const { path, remove } = makeProcessFolder('feed', root)
  return { path: join(path, 'feed'), remove }
}
