import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { type Born, bornNow, lives, pidSpace } from '../lock/born.js'
import { UsageError } from '../lock/error.js'

/** What a pidfile says, and whether it holds: a pid alone may by now be that of any other process. */
export type PidState =
  | { readonly state: 'down' }
  | { readonly state: 'running'; readonly pid: number; readonly born: Born }
  /** That process has ended without a word. */
  | { readonly state: 'stale'; readonly pid: number }
  /** Of another machine or container, which share the folder: nothing can be said from here. */
  | { readonly state: 'elsewhere'; readonly pid: number }

/** The pid for people and `kill $(head -1 …)`, then what tells that process from later ones of its number. */
const FORM = /^(\d+)\nbeatlock ([0-9a-z]+)\.([0-9a-z]+)\n$/

/** @throws UsageError for a file that is something else */
export function readPidfile(path: string): PidState {
  const text = textOf(path)
  return text === undefined ? { state: 'down' } : judge(path, text)
}

/**
 * Writes this process into a pidfile, whole or not at all, and takes it away when the process exits. One that a dead
 * process left behind is replaced.
 * @throws UsageError where a process has it that lives, or that cannot be judged from here
 */
export function claimPidfile(path: string): void {
  const { pid, start, space } = bornNow()
  const own = `${pid}\nbeatlock ${start.toString(36)}.${space.toString(36)}\n`
  const draft = `${path}.${pid}`
  writePidfile(draft, own)
  try {
    while (!linked(draft, path)) clearStale(path)
  } finally {
    rmSync(draft, { force: true })
  }
  process.on('exit', () => {
    if (textOf(path) === own) rmSync(path, { force: true })
  })
}

/** Takes a stale pidfile away; leaves one that was written meanwhile. @throws UsageError where it is not stale */
export function clearStale(path: string): void {
  const text = textOf(path)
  if (text === undefined) return
  const found = judge(path, text)
  if (found.state === 'running')
    throw new UsageError(`${path}: a worker has it that runs, pid ${found.pid}; stop that, or name another --pidfile.`)
  if (found.state === 'elsewhere')
    throw new UsageError(
      `${path} is of pid ${found.pid} on another machine or in another container; write %h into --pidfile, or remove it if that is gone.`,
    )
  // Two may find it stale at once: the slower one must not take away what the faster one wrote.
  const aside = `${path}.stale.${process.pid}`
  try {
    renameSync(path, aside)
  } catch {
    return
  }
  if (textOf(aside) !== text) linked(aside, path)
  rmSync(aside, { force: true })
}

function judge(path: string, text: string): Exclude<PidState, { state: 'down' }> {
  const [, pidText, start, space] = FORM.exec(text) ?? []
  if (pidText === undefined || start === undefined || space === undefined)
    throw new UsageError(`${path} is no pidfile of beatlock; remove it, or name another --pidfile.`)
  const pid = Number(pidText)
  const born = { pid, start: Number.parseInt(start, 36), space: Number.parseInt(space, 36) }
  if (born.space !== pidSpace()) return { state: 'elsewhere', pid }
  return lives(born) ? { state: 'running', pid, born } : { state: 'stale', pid }
}

function writePidfile(path: string, text: string): void {
  try {
    writeFileSync(path, text)
  } catch (cause) {
    throw new UsageError(`--pidfile ${path} cannot be written: ${(cause as Error).message}`, { cause })
  }
}

/** False where there is one already. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new UsageError(`--pidfile ${path} cannot be read: ${(cause as Error).message}`, { cause })
  }
}
