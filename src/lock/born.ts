import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** A process as no other one was or will be, and from where its pid means that. Start 0: this system does not tell. */
export interface Born {
  readonly pid: number
  /** Ticks from the host's boot to its start. */
  readonly start: number
  /** Its machine and pid namespace: two containers or hosts may share a folder, and number their processes alike. */
  readonly space: number
}

const SPACES = 36 ** 7

export function bornNow(): Born {
  return { pid: process.pid, start: statOf(process.pid)?.start ?? 0, space: pidSpace() }
}

/** Whether that very process runs, and no later one of its number; of this machine and pid namespace only. */
export function lives({ pid, start }: Born): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it is somebody else's.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  const stat = statOf(pid)
  if (!stat) return true
  // One that has ended, and that nobody reaps, runs no more.
  return !/[ZX]/.test(stat.state) && (start === 0 || stat.start === start)
}

/** Undefined where there is no `/proc`. @see https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function statOf(pid: number): { readonly state: string; readonly start: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name, which ends at the last bracket, may itself hold spaces; the state is next, the start the 20th after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0] ?? '', start: Number(fields[19]) }
  } catch {
    return undefined
  }
}

/** Machines number their namespaces alike: only with the name and the boot of one is a number its own. */
export function pidSpace(): number {
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
