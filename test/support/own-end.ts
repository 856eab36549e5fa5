import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'

/** What a body does to its own process: at its first start it ends it, or leaves something behind. */
export type OwnEnd = keyof typeof OWN_ENDS

const GROWN_BYTES = 150 * 1024 ** 2
const kept: unknown[] = []

export const OWN_ENDS = {
  exit: () => process.exit(0),
  abort: () => process.abort(),
  reject: () => {
    void Promise.reject(new Error('nobody awaits this'))
    return never()
  },
  throw: () => {
    setImmediate(() => {
      throw new Error('nobody catches this')
    })
    return never()
  },
  heap: () => {
    for (;;) kept.push(new Array(100_000).fill(kept.length))
  },
  /** With a process of its group, which goes with it. */
  brood: (file: string) => {
    startHeir(file, 'ours')
    process.kill(process.pid, 'SIGKILL')
  },
  /** With a process that has left its group and holds its output open: nobody's but the task's to end. */
  daemon: (file: string) => {
    startHeir(file, 'its own')
    process.kill(process.pid, 'SIGKILL')
  },
  /** Ends, and leaves a process of its group running. */
  leave: (file: string) => startHeir(file, 'ours'),
  /** Ends, and keeps more memory than a child may have. */
  grow: () => void kept.push(Buffer.alloc(GROWN_BYTES, 1)),
  overflow: (): number => 1 + OWN_ENDS.overflow(),
} as const

/** Where the pid of a process is written that the body of a message started. */
export function heirFile(log: string, id: string): string {
  return `${log}-heir-${id}`
}

function startHeir(file: string, group: 'ours' | 'its own'): void {
  const heir = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
    detached: group === 'its own',
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  heir.unref()
  writeFileSync(file, String(heir.pid))
}

function never(): Promise<never> {
  return new Promise(() => {})
}
