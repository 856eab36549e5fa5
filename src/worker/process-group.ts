import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { monotonicNs, msToNs } from '../lock/trust.js'

const LOOK_EVERY_MS = 5

/** SIGKILL to every process of the group that `pid` leads. A group that is gone is no error. */
export function killGroup(pid: number): void {
  // -0 and -1 would be this process's own group, and everyone.
  if (pid < 2) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // ESRCH: nobody is left. EPERM (macOS): only zombies are.
  }
}

/** Waits until nothing of the group runs any more; false if something still does after `withinMs`. */
export async function groupEnded(pid: number, withinMs: number): Promise<boolean> {
  const untilNs = monotonicNs() + msToNs(withinMs)
  while (groupRuns(pid)) {
    if (monotonicNs() > untilNs) return false
    await sleep(LOOK_EVERY_MS)
  }
  return true
}

function groupRuns(pid: number): boolean {
  if (pid < 2) return false
  try {
    process.kill(-pid, 0)
  } catch {
    return false
  }
  // The signal reaches zombies too, and who should reap an orphan may never do so.
  if (process.platform !== 'linux' || !existsSync('/proc/self/stat')) return true
  return membersOf(pid).some((state) => state !== 'Z' && state !== 'X')
}

/** The states of a group's members. @see https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function membersOf(group: number): string[] {
  const states: string[] = []
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const [state, , memberOf] = statOf(entry)
    if (state !== undefined && Number(memberOf) === group) states.push(state)
  }
  return states
}

/** `state ppid pgrp …`: what follows the name, which may itself hold spaces and brackets. */
function statOf(pid: string): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}
