import { readFile, realpath, stat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { dirname } from 'node:path'
import { UsageError } from '../../src/lock/error.js'

/** Whom the server runs as. Postgres refuses root. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

const UNPRIVILEGED = ['nobody', 'daemon']

/**
 * The account that the server of a folder runs as, or undefined: as this process. Only root needs another one: the
 * folder's owner, else `nobody`; no user is created.
 *
 * @throws UsageError where there is none, or where this process's uid has no name (initdb refuses such).
 */
export async function serverAccount(folder: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) {
    requireNamedUser()
    return undefined
  }
  const owner = await stat(folder).catch(() => undefined)
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid }
  return unprivilegedAccount()
}

function requireNamedUser(): void {
  try {
    userInfo()
  } catch (cause) {
    throw new UsageError(
      `the embedded server needs a named user, and uid ${process.getuid?.()} has no entry in /etc/passwd: add one, or name a server with --broker`,
      { cause },
    )
  }
}

/** An account that exists and may do nothing. @throws UsageError where there is none. */
export async function unprivilegedAccount(): Promise<Account> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '')
  const users = passwd.split('\n').map((line) => line.split(':'))
  for (const name of UNPRIVILEGED) {
    const user = users.find(([each]) => each === name)
    if (user) return { uid: Number(user[2]), gid: Number(user[3]) }
  }
  throw new UsageError(
    'Postgres does not run as root, and /etc/passwd has no user nobody: run as an ordinary user, or name a server with --broker',
  )
}

/** Whether the account may enter every folder on the way to `path`, and has these rights (`rwx` bits) to it itself. */
export async function reachable(path: string, account: Account | undefined, rights = 0o5): Promise<boolean> {
  if (!account) return true
  let at = await realpath(path)
  if (!(await permits(at, account, rights))) return false
  while (at !== dirname(at)) {
    at = dirname(at)
    if (!(await permits(at, account, 0o1))) return false
  }
  return true
}

async function permits(path: string, { uid, gid }: Account, rights: number): Promise<boolean> {
  const found = await stat(path)
  const shift = found.uid === uid ? 6 : found.gid === gid ? 3 : 0
  return ((found.mode >> shift) & rights) === rights
}
