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

const CLAIM_MS = 5_000
const LOOK_MS = 10
/** The pid for people and `kill $(head -1 …)`, then what tells that process from later ones of its number. */
const FORM = /^(\d+)\nbeatlock ([0-9a-z]+)\.([0-9a-z]+)\n$/

/** @throws UsageError for a file that is something else */
export function readPidfile(path: string): PidState {
  const text = textOf(path)
  return text === undefined ? { state: 'down' } : judge(path, text)
}

/**
 * Writes this process into a pidfile, whole or not at all, and takes it away when the process exits. One that a dead
 * process left behind is replaced, by one of all that try at once.
 * @throws UsageError where a process has it that lives, or that cannot be judged from here
 */
export function claimPidfile(path: string): void {
  const own = withDraft(path, (draft, text) => {
    const until = performance.now() + CLAIM_MS
    while (!linked(draft, path) && !replaced(path, draft)) {
      if (performance.now() > until)
        throw new UsageError(`${path} is changed by others again and again; name another --pidfile.`)
      // Whoever has the seat is about to be done.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS)
    }
    return text
  })
  process.on('exit', () => {
    if (textOf(path) === own) rmSync(path, { force: true })
  })
}

/** Takes a stale pidfile away, unless somebody else does or replaces it. @throws UsageError where it is not stale */
export function clearStale(path: string): void {
  const text = staleText(path)
  if (text === undefined) return
  withDraft(path, (draft) => {
    const seat = takeSeat({ path, text, draft })
    if (seat === undefined) return
    rmSync(path, { force: true })
    rmSync(seat, { force: true })
  })
}

function replaced(path: string, draft: string): boolean {
  const text = staleText(path)
  const seat = text === undefined ? undefined : takeSeat({ path, text, draft })
  if (seat === undefined) return false
  renameSync(seat, path)
  return true
}

/**
 * Of all that find a pidfile stale one gets the seat after that very process, and only who has it changes the file: what
 * a faster one wrote meanwhile is never taken away. One who died with the seat is followed in the same way. Answers the
 * seat, a file that says what the draft does; undefined for who came too late.
 */
function takeSeat({ path, text, draft }: { path: string; text: string; draft: string }): string | undefined {
  const seat = `${path}.after.${text.replace(FORM, '$1.$2.$3')}`
  if (!linked(draft, seat)) {
    const other = textOf(seat)
    if (other === undefined || judge(seat, other).state !== 'stale') return undefined
    const next = takeSeat({ path: seat, text: other, draft })
    if (next === undefined) return undefined
    renameSync(next, seat)
  }
  if (textOf(path) === text) return seat
  rmSync(seat, { force: true })
  return undefined
}

/** Undefined where there is none any more. @throws UsageError for one that is not stale */
function staleText(path: string): string | undefined {
  const text = textOf(path)
  if (text === undefined) return undefined
  const { state, pid } = judge(path, text)
  if (state === 'stale') return text
  throw new UsageError(
    state === 'running'
      ? `${path}: a worker has it that runs, pid ${pid}; stop that, or name another --pidfile.`
      : `${path} is of pid ${pid} on another machine or in another container; write %h into --pidfile, or remove it if that is gone.`,
  )
}

/** A file that says which process this is, for as long as `act` takes. */
function withDraft<T>(path: string, act: (draft: string, text: string) => T): T {
  const { pid, start, space } = bornNow()
  const text = `${pid}\nbeatlock ${start.toString(36)}.${space.toString(36)}\n`
  const draft = `${path}.${pid}`
  writePidfile(draft, text)
  try {
    return act(draft, text)
  } finally {
    rmSync(draft, { force: true })
  }
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
