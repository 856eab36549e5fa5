import { readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { UsageError } from '../../src/lock/error.js'

const TRIES = 8

/** Another process has the file. */
export class Held extends UsageError {
  constructor(path: string, { host, pid, file }: Holder) {
    const elsewhere = host !== hostname()
    super(
      `file:${path} is in use by process ${pid}${elsewhere ? ` on ${host}` : ''}: stop it first` +
        `${elsewhere ? `, or remove ${file} if it is gone` : ''}, and start it again afterwards. A file serves one process ` +
        'at a time: several beats, and entries that are changed while one runs, need Redis or Postgres (no --store).',
    )
  }
}

/**
 * Holds a file for this process: a claim of our own beside it, then a look at the others'. Two that come at once see each
 * other and both step back, so that never two hold it; claims of processes that are gone are swept away by name.
 * Answers how to let go. @throws Held
 */
export async function holdFile(path: string): Promise<() => void> {
  for (let tries = 1; ; tries += 1) {
    const own = `${basename(path)}.held-${encodeURIComponent(hostname())}-${process.pid}-${startOf(process.pid) ?? 0}`
    const mine = join(dirname(path), own)
    writeFileSync(mine, '')
    const other = holderBeside(path, own)
    if (!other) return () => remove(mine)
    remove(mine)
    if (tries === TRIES) throw new Held(path, other)
    await sleep(20 + Math.random() * 100)
  }
}

interface Holder {
  readonly host: string
  readonly pid: number
  readonly file: string
}

function holderBeside(path: string, own: string): Holder | undefined {
  const prefix = `${basename(path)}.held-`
  for (const name of readdirSync(dirname(path))) {
    if (!name.startsWith(prefix) || name === own) continue
    const [, host = '', pid = '', start = ''] = /^(.*)-(\d+)-(\d+)$/.exec(name.slice(prefix.length)) ?? []
    const holder = { host: decodeURIComponent(host), pid: Number(pid), file: join(dirname(path), name) }
    // Whether a process of another host lives cannot be seen from here.
    if (holder.host !== hostname() || isAlive(holder.pid, start)) return holder
    remove(holder.file)
  }
  return undefined
}

function isAlive(pid: number, start: string): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  // The number may have gone to another process since.
  return start === '0' || startOf(pid) === start
}

/** When a process began, in ticks since boot; undefined where the system does not tell. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

function remove(file: string): void {
  try {
    unlinkSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
