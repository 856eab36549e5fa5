import { createHash } from 'node:crypto'
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'

export interface ProcessFolder {
  readonly path: string
  remove(): void
}

/** A process as no other one was or will be, and from where its pid means that. Start 0: this system does not tell. */
interface Born {
  readonly pid: number
  /** Ticks from the host's boot to its start. */
  readonly start: number
  /** Its machine and pid namespace: two containers or hosts may share a folder, and number their processes alike. */
  readonly space: number
}

const SPACES = 36 ** 7
const NAME = /^beatlock-(?:feed|body)-([0-9a-z]+)\.([0-9a-z]+)\.([0-9a-z]+)-\w{6}$/
/** As long as a name can get: pids have 22 bits, start times are below 2^36 (21 years), spaces below 36^7. */
export const LONGEST_NAME = `beatlock-feed-${'x'.repeat(5)}.${'x'.repeat(7)}.${'x'.repeat(7)}-XXXXXX`

/**
 * A folder in `root` (default: the temp folder) that only its owner may enter. Its name says whose it is, so that one
 * which a SIGKILL left behind is removed by the next process of the same user that makes one.
 */
export function makeProcessFolder(kind: 'feed' | 'body', root = tmpdir()): ProcessFolder {
  sweepLeft(root)
  const { pid, start, space } = bornNow()
  const owner = [pid, start, space].map((each) => each.toString(36)).join('.')
  // mkdtemp makes it 0700.
  const path = mkdtempSync(join(root, `beatlock-${kind}-${owner}-`))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

function bornNow(): Born {
  return { pid: process.pid, start: startOf(process.pid) ?? 0, space: pidSpace() }
}

/** What cannot be removed now is left to the next one. */
function sweepLeft(root: string): void {
  try {
    const space = pidSpace()
    for (const name of readdirSync(root)) {
      const born = ownerOf(name)
      if (!born || born.space !== space || lives(born) || !isOurs(join(root, name))) continue
      rmSync(join(root, name), { recursive: true, force: true })
    }
  } catch {
    // Another process sweeps the same folders.
  }
}

function ownerOf(name: string): Born | undefined {
  const [, pid, start, space] = (NAME.exec(name) ?? []).map((text) => Number.parseInt(text, 36))
  return pid && start !== undefined && space !== undefined ? { pid, start, space } : undefined
}

function isOurs(path: string): boolean {
  const found = lstatSync(path)
  return found.isDirectory() && found.uid === process.getuid?.()
}

function lives({ pid, start }: Born): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it is somebody else's.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  const now = startOf(pid)
  return now === undefined || start === 0 || now === start
}

/** Undefined where there is no `/proc`. @see https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function startOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name, which ends at the last bracket, may itself hold spaces; the start is the 20th after it.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
  } catch {
    return undefined
  }
}

/** Machines number their namespaces alike: only with the name and the boot of one is a number its own. */
function pidSpace(): number {
  const parts = [hostname(), bootId(), pidNamespace()]
  return createHash('sha256').update(JSON.stringify(parts)).digest().readUIntBE(0, 6) % SPACES
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')
  } catch {
    return ''
  }
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}
