import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { lives } from '../lock/born.js'
import { formatDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import { printable } from '../lock/printable.js'
import type { Planned } from './multi-plan.js'
import { clearStale, readPidfile } from './pidfile.js'

/** What became of one worker. */
export type Done =
  | { readonly outcome: 'started'; readonly pid: number }
  | { readonly outcome: 'stopped'; readonly pid: number }
  /** Nothing was to be done: it runs already, or does not run. */
  | { readonly outcome: 'runs'; readonly pid: number }
  | { readonly outcome: 'down' }
  | { readonly outcome: 'failed'; readonly why: string }

/** How long to wait for one worker, ms. */
export interface Patience {
  readonly readyMs: number
  readonly endMs: number
}

const LOOK_MS = 50
/** In bytes. */
const LAST_WORDS = 4_096

/**
 * Starts one worker, detached and with its log in a file, and waits until it takes messages. One that dies before, or is
 * not ready in time, has failed; the latter goes on trying.
 */
export async function startOne(worker: Planned, { readyMs }: Patience): Promise<Done> {
  const before = readPidfile(worker.pidfile)
  if (before.state === 'running') return { outcome: 'runs', pid: before.pid }
  const log = openFiles(worker)
  const from = statSync(worker.logfile).size
  const child = spawn(process.execPath, [...process.execArgv, ...worker.argv], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  })
  closeSync(log)
  try {
    const end = new Promise<string>((resolve) => {
      child.once('exit', (code, signal) => resolve(`it ended with ${signal ?? `exit code ${code}`}`))
      child.once('error', ({ message }) => resolve(message))
    })
    const ready = new Promise<'ready'>((resolve) => child.once('message', () => resolve('ready')))
    const late = sleep(readyMs, 'late' as const, { ref: false })
    const how = await Promise.race([ready, end, late])
    if (how === 'ready') return { outcome: 'started', pid: child.pid ?? 0 }
    const why =
      how === 'late' ? `it (pid ${child.pid}) was not ready within ${formatDuration(readyMs)} and goes on trying` : how
    return { outcome: 'failed', why: `${why}${lastWords(worker.logfile, from)}` }
  } finally {
    if (child.connected) child.disconnect()
    child.unref()
  }
}

/** Tells one worker to end warm, and waits until it has. */
export async function stopOne({ pidfile }: Planned, { endMs }: Patience): Promise<Done> {
  const found = readPidfile(pidfile)
  if (found.state !== 'running') {
    clearStale(pidfile)
    return { outcome: 'down' }
  }
  const { pid, born } = found
  try {
    process.kill(pid, 'SIGTERM')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') return { outcome: 'failed', why: (error as Error).message }
  }
  const until = performance.now() + endMs
  while (lives(born)) {
    if (performance.now() >= until)
      return {
        outcome: 'failed',
        why: `pid ${pid} finishes what runs, longer than ${formatDuration(endMs)}; a second SIGTERM ends it at once`,
      }
    await sleep(LOOK_MS)
  }
  return { outcome: 'stopped', pid }
}

/** Off and on again; one that does not stop in time, or whose log could not be written, is left as it is. */
export async function restartOne(worker: Planned, patience: Patience): Promise<Done> {
  closeSync(openFiles(worker))
  const stopped = await stopOne(worker, patience)
  return stopped.outcome === 'failed' ? stopped : startOne(worker, patience)
}

/** Its log, open to append; the folders of log and pidfile are there then. @throws UsageError where they cannot be */
function openFiles({ pidfile, logfile }: Planned): number {
  writable('pidfile', pidfile, (path) => mkdirSync(dirname(path), { recursive: true }))
  return writable('logfile', logfile, (path) => {
    mkdirSync(dirname(path), { recursive: true })
    return openSync(path, 'a', 0o640)
  })
}

function writable<T>(option: string, path: string, open: (path: string) => T): T {
  try {
    return open(path)
  } catch (cause) {
    throw new UsageError(`--${option} ${path} cannot be written: ${(cause as Error).message}`, { cause })
  }
}

/** What it said last, of this start. */
function lastWords(logfile: string, from: number): string {
  const { size } = statSync(logfile)
  // Whoever rotates logs may have cut it meanwhile.
  const room = Buffer.alloc(Math.min(Math.max(0, size - from), LAST_WORDS))
  const file = openSync(logfile, 'r')
  readSync(file, room, 0, room.length, size - room.length)
  closeSync(file)
  const line = room.toString('utf8').trim().split('\n').at(-1) ?? ''
  return `${line === '' ? '' : `: ${printable(line)}`} (see ${logfile})`
}
