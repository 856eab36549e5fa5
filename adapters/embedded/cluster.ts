import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError } from '../../src/lock/error.js'
import type { Account } from './account.js'
import { isCode } from './error-code.js'
import type { Programs } from './native-tree.js'

/** A data folder and what opens it. Both are born in one rename, so neither exists without the other. */
export interface Cluster {
  readonly data: string
  readonly password: string
}

export const SUPERUSER = 'beatlock'
export const DATABASE = 'postgres'

/** What a process that was killed while it made a cluster left behind goes after this long. */
const DRAFT_MAX_AGE_MS = 10 * 60_000

/** Reads the cluster of a folder, or undefined where none has been made. */
export async function findCluster(folder: string): Promise<Cluster | undefined> {
  try {
    const password = await readFile(join(folder, 'pg', 'password'), 'utf8')
    return { data: join(folder, 'pg', 'data'), password }
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/**
 * Makes the folder's cluster, once: any number of processes may try, one rename wins and all answer the winner's.
 * Takes 0.6 s and 40 MB.
 *
 * @throws UsageError where the data there was written by another major version.
 */
export async function ensureCluster(
  folder: string,
  programs: Programs,
  account: Account | undefined,
): Promise<Cluster> {
  const found = (await findCluster(folder)) ?? (await makeCluster(folder, programs, account))
  const version = (await readFile(join(found.data, 'PG_VERSION'), 'utf8')).trim()
  if (version === programs.major) return found
  throw new UsageError(
    `${folder} holds data of Postgres ${version}, and the installed package is Postgres ${programs.major}: move the folder away, or install the package of before`,
  )
}

async function makeCluster(folder: string, programs: Programs, account: Account | undefined): Promise<Cluster> {
  await removeOldDrafts(folder)
  const draft = await mkdtemp(join(folder, 'pg.tmp.'))
  try {
    await fill(draft, programs, account)
    await rename(draft, join(folder, 'pg'))
  } catch (error) {
    if (!isCode(error, 'ENOTEMPTY', 'EEXIST')) throw error
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  const made = await findCluster(folder)
  if (!made) throw new Error(`${folder} was emptied while its cluster was made`)
  return made
}

async function removeOldDrafts(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.includes('.tmp.')) continue
    const path = join(folder, name)
    const found = await stat(path).catch(() => undefined)
    if (found && Date.now() - found.mtimeMs > DRAFT_MAX_AGE_MS) await rm(path, { recursive: true, force: true })
  }
}

async function fill(draft: string, { initdb }: Programs, account: Account | undefined): Promise<void> {
  const password = join(draft, 'password')
  await writeFile(password, randomBytes(24).toString('base64url'), { mode: 0o600, flag: 'wx' })
  if (account) for (const path of [draft, password]) await chown(path, account.uid, account.gid)
  const flags = ['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-instructions']
  await run(initdb, ['-D', join(draft, 'data'), '-U', SUPERUSER, `--pwfile=${password}`, ...flags], draft, account)
}

function run(program: string, args: readonly string[], cwd: string, account: Account | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env: SERVER_ENV, stdio: ['ignore', 'ignore', 'pipe'], ...account })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2000)
    })
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (code === 0) resolve()
      else reject(new Error(`initdb ended with ${code ?? signal}: ${said.trim()}`))
    })
  })
}

/** Nothing of this process's environment: it may hold secrets, or PG… settings meant for another server. */
export const SERVER_ENV: NodeJS.ProcessEnv = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' }
