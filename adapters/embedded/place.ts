import { createHash } from 'node:crypto'
import { access, chmod, chown, constants, lstat, mkdir, realpath, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { UsageError } from '../../src/lock/error.js'
import { type Account, reachable, serverAccount, unprivilegedAccount } from './account.js'
import { isCode } from './error-code.js'

/** Where a server lives, and as whom. */
export interface Place {
  /** Holds data, password and log; 0700. */
  readonly folder: string
  readonly socketDir: string
  readonly account: Account | undefined
}

/** A Unix socket's path has room for 107 bytes; Postgres appends `/.s.PGSQL.5432`. */
const SOCKET_DIR_MAX_BYTES = 93

/**
 * The same place for every process that names `dir`, whatever its TMPDIR: `dir` itself, or, where the account that root
 * hands over to cannot get there, a folder in the temp directory. Makes nothing.
 */
export async function findPlace(dir: string): Promise<Place> {
  const wanted = await realFolder(resolve(dir))
  const account = await serverAccount(wanted)
  if (await reachable(await firstExisting(wanted), account, 0o1)) {
    return { folder: wanted, socketDir: await shortEnough(wanted), account }
  }
  const folder = await tempFolder(wanted)
  return { folder, socketDir: folder, account: await unprivilegedAccount() }
}

/** Makes the folders of a place where they are missing, and checks that they are private. */
export async function makePlace({ folder, socketDir, account }: Place): Promise<void> {
  const made = await makeFolder(folder, account)
  if (made) await writeFile(join(folder, '.gitignore'), '*\n')
  if (socketDir !== folder) await makeFolder(socketDir, account)
}

/** Whether the folders are there. @throws UsageError where somebody else could write in them. */
export async function checkPlace({ folder, socketDir, account }: Place): Promise<'there' | 'missing'> {
  const found = [await checkFolder(folder, account), await checkFolder(socketDir, account)]
  return found.includes('missing') ? 'missing' : 'there'
}

/** Removes a socket folder in the temp directory after its server's end, unless another one uses it already. */
export async function leavePlace({ folder, socketDir }: Place): Promise<void> {
  if (socketDir === folder) return
  await rmdir(socketDir).catch((error: unknown) => {
    if (!isCode(error, 'ENOENT', 'ENOTEMPTY', 'EEXIST')) throw error
  })
}

async function realFolder(path: string): Promise<string> {
  const real = await realpath(path).catch(() => undefined)
  if (real !== undefined || dirname(path) === path) return real ?? path
  return join(await realFolder(dirname(path)), basename(path))
}

async function firstExisting(path: string): Promise<string> {
  const there = await lstat(path).catch(() => undefined)
  return there || dirname(path) === path ? path : firstExisting(dirname(path))
}

async function shortEnough(folder: string): Promise<string> {
  return Buffer.byteLength(folder) <= SOCKET_DIR_MAX_BYTES ? folder : tempFolder(folder)
}

/** `/tmp` before TMPDIR: two processes with different environments must meet. */
async function tempFolder(of: string): Promise<string> {
  const name = `beatlock-${createHash('sha256').update(of).digest('hex').slice(0, 16)}`
  const usable = await access('/tmp', constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  )
  return join(await realpath(usable ? '/tmp' : tmpdir()), name)
}

async function makeFolder(folder: string, account: Account | undefined): Promise<boolean> {
  await mkdir(dirname(folder), { recursive: true })
  const made = await mkdir(folder, { mode: 0o700 }).then(
    () => true,
    (error: unknown) => {
      if (isCode(error, 'EEXIST')) return false
      throw error
    },
  )
  // Also where another root process made it and has not come to this line: it is root's, nobody else could have.
  if (account && (await lstat(folder)).uid === 0) await chown(folder, account.uid, account.gid)
  await checkFolder(folder, account)
  return made
}

async function checkFolder(folder: string, account: Account | undefined): Promise<'there' | 'missing'> {
  const found = await lstat(folder).catch((error: unknown) => {
    if (isCode(error, 'ENOENT')) return undefined
    throw error
  })
  if (!found) return 'missing'
  if (!found.isDirectory()) throw new UsageError(`${folder} is no folder: an embedded server cannot be kept there`)
  const owner = account?.uid ?? process.getuid?.()
  if (found.uid !== owner && !(account && found.uid === 0)) {
    throw new UsageError(
      `${folder} belongs to uid ${found.uid} and this process would use it as uid ${owner}: run as that user, or name another folder (embedded:./dir) or server with --broker`,
    )
  }
  if (found.mode & 0o022) {
    throw new UsageError(`others may write in ${folder}, which holds the embedded server's password: chmod 700 it`)
  }
  if (found.mode & 0o055) await chmod(folder, 0o700)
  return 'there'
}
